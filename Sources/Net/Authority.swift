/// `host[:port]` of a Host field, a request target or a URL (RFC 3986 section 3.2, RFC 9110 section 7.2), as ranges of
/// the bytes it was read from.
///
/// Stricter than the grammar where the grammar lets one host have several spellings or invites a split between us and a
/// service: no user information, no comma, no percent-escapes, no IPvFuture, no zone, no empty host, no empty port.
package struct Authority: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        /// A registered name. May look like a mistyped IPv4 address.
        case name
        case address(IPAddress)
    }

    package var kind: Kind
    /// Where the host stands; for IPv6 without the brackets.
    package var host: Range<Int>
    package var port: UInt16?

    /// Reads all of `bytes`; nil when they are no authority that we accept.
    package init?(_ bytes: Span<UInt8>) {
        let count = bytes.count
        guard count > 0 else { return nil }
        let hostEnd: Int
        if bytes[0] == 0x5B {
            var close = 1
            while close < count, bytes[close] != 0x5D { close &+= 1 }
            guard close < count, let words = IPv6Text.parse(bytes, in: 1..<close) else { return nil }
            kind = .address(.v6(words.high, words.low))
            host = 1..<close
            hostEnd = close + 1
        } else {
            var end = 0
            while end < count, Self.isNameByte(bytes[end]) { end &+= 1 }
            guard end > 0 else { return nil }
            host = 0..<end
            if bytes[0] &- 0x30 < 10, let octets = IPv4Text.parse(bytes, in: 0..<end) {
                kind = .address(.v4(octets))
            } else {
                kind = .name
            }
            hostEnd = end
        }
        if hostEnd == count { return }
        guard bytes[hostEnd] == 0x3A,
            let number = DecimalText.parse(bytes, in: (hostEnd + 1)..<count, limit: 65_535)
        else { return nil }
        port = UInt16(truncatingIfNeeded: number)
    }

    /// unreserved and sub-delims (RFC 3986 section 2) without the comma.
    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x61...0x7A, 0x30...0x39, 0x2E, 0x2D, 0x41...0x5A, 0x5F, 0x7E: true
        case 0x21, 0x24, 0x26...0x2B, 0x3B, 0x3D: true
        default: false
        }
    }
}
