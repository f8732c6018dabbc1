import HTTP

/// The value of `:path` (RFC 9113 section 8.3.1), under the rules of a request line's target.
struct RequestTarget {
    /// As in `RequestHead`.
    private(set) var path = ByteRange.empty
    private(set) var query: ByteRange?
    private(set) var form = RequestHead.TargetForm.origin

    /// Nil when it is no target.
    @inline(__always)
    init?(_ bytes: Span<UInt8>, _ target: ByteRange, _ method: Method) {
        let start = target.lower
        let end = target.upper
        guard start < end else { return nil }
        if bytes[start] != 0x2F {
            guard bytes[start] == 0x2A, target.count == 1, method == .options else { return nil }
            form = .asterisk
            return
        }
        var at = start
        var pathEnd = end
        while at < end {
            var marks = ByteScan.unusualInTarget(ByteScan.word(bytes, at: at))
            while marks != 0 {
                let index = ByteScan.place(at, marks)
                if index >= end { break }
                if bytes[index] == 0x3F {
                    if pathEnd == end { pathEnd = index }
                } else if !ByteClass.isPlainTarget(bytes[index]) {
                    guard Self.isEscape(bytes.extracting(index..<end)) else { return nil }
                }
                marks &= marks &- 1
            }
            at &+= 8
        }
        path = ByteRange(start: start, count: pathEnd &- start)
        if pathEnd < end { query = ByteRange(start: pathEnd &+ 1, count: end &- pathEnd &- 1) }
    }

    @inline(never)
    private static func isEscape(_ rest: Span<UInt8>) -> Bool {
        rest.count >= 3 && rest[0] == 0x25 && ByteClass.isHexDigit(rest[1]) && ByteClass.isHexDigit(rest[2])
    }
}
