internal import Net

/// Which `host [":" port]` of a Host field or a request target we accept (RFC 9110 section 7.2).
package enum AuthoritySyntax {
    /// Whether `bytes` is one: as `Authority` says, and no port 0.
    package static func isValid(_ bytes: Span<UInt8>) -> Bool {
        // Nearly all are plain names: one look at each byte decides.
        if bytes.count > 0 && ByteClass.plainHostEnd(bytes) == bytes.count { return true }
        guard let authority = Authority(bytes) else { return false }
        return authority.port != 0
    }
}
