/// A block of addresses: those that share the first `prefix` bits with `address`.
package struct CIDRBlock: Sendable, Equatable, Hashable {
    package enum ParseError: Error, Equatable, Sendable {
        case notAnAddress
        /// Behind the slash stands no number, or one above `limit` (32 or 128).
        case invalidPrefix(limit: Int)
        /// Bits behind the prefix are set; `network` is the block that was probably meant.
        case bitsBeyondPrefix(network: CIDRBlock)
    }

    package var address: IPAddress
    /// 0 to 32 for IPv4, 0 to 128 for IPv6.
    package var prefix: Int

    package init(address: IPAddress, prefix: Int) {
        self.address = address
        self.prefix = prefix
    }

    /// Reads `10.0.0.0/8`, `2001:db8::/32`, or a bare address, which is a block of one.
    ///
    /// An IPv4-mapped block becomes the IPv4 block, since `contains` compares canonical addresses.
    package init(parsing text: String) throws(ParseError) {
        let bytes = Array(text.utf8)
        let slash = bytes.firstIndex(of: 0x2F) ?? bytes.count
        guard let address = IPAddress(bytes.span.extracting(0..<slash)) else { throw .notAnAddress }
        var prefix = address.bitCount
        if slash < bytes.count {
            let digits = (slash + 1)..<bytes.count
            guard let number = DecimalText.parse(bytes.span, in: digits, limit: address.bitCount) else {
                throw .invalidPrefix(limit: address.bitCount)
            }
            prefix = number
        }
        let network = address.masked(prefix: prefix)
        let isMapped = prefix >= 96 && network.canonical != network
        let block =
            isMapped
            ? CIDRBlock(address: network.canonical, prefix: prefix - 96)
            : CIDRBlock(address: network, prefix: prefix)
        guard network == address else { throw .bitsBeyondPrefix(network: block) }
        self = block
    }

    /// Whether the address lies in the block; an IPv4-mapped address counts as the IPv4 one.
    package func contains(_ candidate: IPAddress) -> Bool {
        let candidate = candidate.canonical
        switch (address, candidate) {
        case (.v4, .v4), (.v6, .v6): return candidate.masked(prefix: prefix) == address.masked(prefix: prefix)
        case (.v4, .v6), (.v6, .v4): return false
        }
    }
}

extension CIDRBlock: CustomStringConvertible {
    package var description: String { "\(address)/\(prefix)" }
}
