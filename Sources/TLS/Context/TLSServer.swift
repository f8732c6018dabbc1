/// The contexts of a listener, by the names that clients ask for (RFC 6066 section 3). Immutable.
package final class TLSServer: Sendable {
    /// Serves clients that name nothing, and whom `refusesUnknownNames` does not refuse.
    package let standard: TLSServerContext
    private let exact: [[UInt8]: TLSServerContext]
    /// By what follows the first label, which stands for any one label.
    private let wildcard: [[UInt8]: TLSServerContext]
    private let refusesUnknownNames: Bool
    /// There is more than one policy.
    package let hasPolicies: Bool

    /// - Parameters:
    ///   - exact: by host name in lower case.
    ///   - wildcard: by the name behind `*.`.
    package init(
        standard: TLSServerContext, exact: [[UInt8]: TLSServerContext] = [:],
        wildcard: [[UInt8]: TLSServerContext] = [:], refusesUnknownNames: Bool = false
    ) {
        self.standard = standard
        self.exact = exact
        self.wildcard = wildcard
        self.refusesUnknownNames = refusesUnknownNames
        let numbers = [standard] + exact.values + wildcard.values
        hasPolicies = numbers.contains { $0.policyNumber != standard.policyNumber }
    }

    /// Number of the policy that a host has, in its canonical form, a port behind it or not. Addresses have the standard one.
    package func policyNumber(for host: Span<UInt8>) -> Int {
        var count = host.count
        while count > 0, 0x30...0x39 ~= host[count - 1] { count -= 1 }
        let hasPort = count > 0 && count < host.count && host[count - 1] == UInt8(ascii: ":")
        let name = host.extracting(0..<(hasPort ? count - 1 : host.count))
        return context(for: name)?.policyNumber ?? standard.policyNumber
    }

    /// The context for a name as it came; nil: it is refused. Names are compared without regard to case, and a dot at the end,
    /// which no name should have, is no part of it.
    package func context(for name: Span<UInt8>) -> TLSServerContext? {
        guard !name.isEmpty else { return standard }
        var asked: [UInt8] = []
        asked.reserveCapacity(name.count)
        for index in name.indices {
            let byte = name[index]
            asked.append(byte | (0x41...0x5A ~= byte ? 0x20 : 0))
        }
        if asked.last == UInt8(ascii: ".") { asked.removeLast() }
        if let found = exact[asked] { return found }
        if let dot = asked.firstIndex(of: UInt8(ascii: ".")), dot > 0, let found = wildcard[Array(asked[(dot + 1)...])]
        {
            return found
        }
        return refusesUnknownNames ? nil : standard
    }
}
