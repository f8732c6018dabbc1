package import Net

/// A worker's copy of one endpoint's addresses, taken in turn, one a connection.
package struct AddressCursor: Sendable {
    private var generation: UInt64 = .max
    private var addresses: [SocketAddress] = []
    private var position: Int

    /// `start` spreads the workers: each begins at another address.
    package init(start: Int) {
        position = max(start, 0)
    }

    /// The address for the next connection; nil while the endpoint's name has none.
    package mutating func next(_ endpoint: EndpointState) -> SocketAddress? {
        refresh(endpoint)
        guard !addresses.isEmpty else { return nil }
        if position >= addresses.count { position %= addresses.count }
        let address = addresses[position]
        position &+= 1
        return address
    }

    /// How many addresses the endpoint has: so many connections may be tried before it counts as tried itself.
    package mutating func count(_ endpoint: EndpointState) -> Int {
        refresh(endpoint)
        return addresses.count
    }

    private mutating func refresh(_ endpoint: EndpointState) {
        guard endpoint.addressGeneration != generation else { return }
        let current = endpoint.currentAddresses()
        generation = current.generation
        addresses = current.addresses
    }
}
