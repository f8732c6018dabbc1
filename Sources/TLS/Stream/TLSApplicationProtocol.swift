/// What is spoken inside a TLS connection (RFC 7301), as far as we speak it.
@usableFromInline
package enum TLSApplicationProtocol: String, Sendable, CaseIterable {
    case http2 = "h2"
    case http1 = "http/1.1"

    init?(_ name: Span<UInt8>) {
        for known in Self.allCases where known.isNamed(name) {
            self = known
            return
        }
        return nil
    }

    private func isNamed(_ name: Span<UInt8>) -> Bool {
        let own = rawValue.utf8
        guard own.count == name.count else { return false }
        var index = 0
        for byte in own {
            if name[index] != byte { return false }
            index &+= 1
        }
        return true
    }

    /// The list as the extension carries it: each name behind its count.
    static func wire(_ list: [TLSApplicationProtocol]) -> [UInt8] {
        list.flatMap { [UInt8(truncatingIfNeeded: $0.rawValue.utf8.count)] + Array($0.rawValue.utf8) }
    }
}
