internal import Net

/// Which `host [":" port]` of a Host field or a request target we accept (RFC 9110 section 7.2).
package enum AuthoritySyntax {
    /// Whether the bytes of a range are one: as `Authority` says, and no port 0.
    package static func isValid(_ bytes: Span<UInt8>, _ range: ByteRange) -> Bool {
        // Nearly all are plain names, with a port or none.
        let end = ByteScan.plainHostEnd(bytes, from: range.lower)
        if end > range.lower && (end == range.upper || isPlainPort(bytes, end, range.upper)) { return true }
        return isUnusual(bytes.extracting(range.range))
    }

    @inline(never)
    private static func isUnusual(_ bytes: Span<UInt8>) -> Bool {
        guard let authority = Authority(bytes) else { return false }
        return authority.port != 0
    }

    /// `:` and a port without leading zeros: the usual form, recognised without taking the host apart.
    @inline(__always)
    private static func isPlainPort(_ bytes: Span<UInt8>, _ colon: Int, _ end: Int) -> Bool {
        let digits = end &- colon &- 1
        guard digits > 0, digits <= 5, bytes[colon] == 0x3A else { return false }
        guard let port = ByteScan.decimal(ByteScan.wholeWord(bytes, at: colon &+ 1), count: digits) else {
            return false
        }
        return port >= leastPorts[digits &- 1] && port <= 65_535
    }

    /// The least numbers of one to five digits, the first of which is no zero.
    private static let leastPorts: InlineArray<5, Int> = [1, 10, 100, 1_000, 10_000]
}
