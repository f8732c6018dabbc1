internal import Net

/// Which `host [":" port]` of a Host field or a request target we accept (RFC 9110 section 7.2).
package enum AuthoritySyntax {
    /// Whether `bytes` is one: as `Authority` says, and no port 0.
    package static func isValid(_ bytes: Span<UInt8>) -> Bool {
        // Nearly all are plain names: one look at each byte decides.
        let end = ByteClass.plainHostEnd(bytes)
        if end > 0 && (end == bytes.count || isPlainPort(bytes, from: end)) { return true }
        guard let authority = Authority(bytes) else { return false }
        return authority.port != 0
    }

    /// `:` and a port without leading zeros: the usual form, recognised without taking the host apart.
    private static func isPlainPort(_ bytes: Span<UInt8>, from colon: Int) -> Bool {
        let digits = bytes.count &- colon &- 1
        guard bytes[colon] == 0x3A, digits > 0, digits <= 5 else { return false }
        var port = 0
        for index in colon &+ 1..<bytes.count {
            guard ByteClass.isDigit(bytes[index]) else { return false }
            port = port &* 10 &+ Int(bytes[index] &- 0x30)
            if port == 0 { return false }
        }
        return port <= 65_535
    }
}
