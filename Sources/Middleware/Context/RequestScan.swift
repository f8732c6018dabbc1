private import HTTP

/// Finds things in the bytes of a request head that was parsed and validated before, when its offsets are no longer
/// there. Bytes of another shape find nothing and trap nowhere.
package enum RequestScan {
    static func method(in head: Span<UInt8>) -> Range<Int> {
        isHTTP2(head) ? pseudoField(0x6D, 0x65, in: head) : 0..<end(of: 0x20, in: head, from: 0)
    }

    /// Heads of HTTP/2 are kept as lines, those of pseudo-header fields first; no method of HTTP/1.1 begins with a colon.
    private static func isHTTP2(_ head: Span<UInt8>) -> Bool { head.count > 0 && head[0] == 0x3A }

    /// The value of `:method` or `:path`, by the first letters: there may be a `:protocol` as well. The line of Host stands where
    /// `:authority` did, so before others of them.
    private static func pseudoField(_ first: UInt8, _ second: UInt8, in head: Span<UInt8>) -> Range<Int> {
        var start = 0
        while start + 2 < head.count {
            let lineEnd = end(of: 0x0D, in: head, from: start)
            if head[start] == 0x3A && head[start + 1] == first && head[start + 2] == second {
                let value = min(end(of: 0x20, in: head, from: start) + 1, lineEnd)
                return value..<lineEnd
            }
            start = lineEnd + 2
        }
        return 0..<0
    }

    /// Whether the content is of gRPC.
    package static func isGRPC(_ head: Span<UInt8>) -> Bool {
        guard let type = value(of: Array("content-type".utf8).span, in: head) else { return false }
        return EndlessContent.isGRPC(head.extracting(type))
    }

    /// The request target.
    static func target(in head: Span<UInt8>) -> Range<Int> {
        if isHTTP2(head) { return pseudoField(0x70, 0x61, in: head) }
        let start = min(method(in: head).upperBound + 1, head.count)
        return start..<end(of: 0x20, in: head, from: start)
    }

    /// The target's path, without scheme and authority of the absolute form and without the query.
    static func path(in head: Span<UInt8>) -> Range<Int> {
        let target = target(in: head)
        var start = target.lowerBound
        if start < target.upperBound && head[start] != 0x2F {
            var slashes = 0
            while start < target.upperBound && !(head[start] == 0x2F && slashes == 2) {
                if head[start] == 0x2F { slashes += 1 }
                if head[start] == 0x3F { return start..<start }
                start += 1
            }
        }
        var end = start
        while end < target.upperBound && head[end] != 0x3F { end += 1 }
        return start..<end
    }

    /// What follows the target's `?`; empty without one.
    static func query(in head: Span<UInt8>) -> Range<Int> {
        let target = target(in: head)
        var start = target.lowerBound
        while start < target.upperBound && head[start] != 0x3F { start += 1 }
        return min(start + 1, target.upperBound)..<target.upperBound
    }

    /// The first value of a field; `lowercase` is in lower case.
    package static func value(of lowercase: Span<UInt8>, in head: Span<UInt8>) -> Range<Int>? {
        var lines = Lines(head)
        while let line = lines.next(in: head) {
            if ByteClass.isName(head.extracting(line.name), lowercase) { return line.value }
        }
        return nil
    }

    /// Walks the field lines.
    struct Lines {
        struct Line {
            let name: Range<Int>
            /// Without the white space around it.
            let value: Range<Int>
        }

        private var at: Int

        /// Stands behind the request line.
        init(_ head: Span<UInt8>) {
            at = RequestScan.isHTTP2(head) ? 0 : min(RequestScan.end(of: 0x0A, in: head, from: 0) + 1, head.count)
        }

        /// Stands at the beginning of bytes that are nothing but field lines.
        init(startingIn lines: Span<UInt8>) {
            at = 0
        }

        mutating func next(in head: Span<UInt8>) -> Line? {
            // Pseudo-header fields of HTTP/2.
            while at < head.count && head[at] == 0x3A {
                at = min(RequestScan.end(of: 0x0A, in: head, from: at) + 1, head.count)
            }
            let start = at
            let lineEnd = RequestScan.end(of: 0x0A, in: head, from: start)
            var end = lineEnd
            if end > start && head[end - 1] == 0x0D { end -= 1 }
            var colon = start
            while colon < end && head[colon] != 0x3A { colon += 1 }
            guard colon > start, colon < end else { return nil }
            at = min(lineEnd + 1, head.count)
            var first = colon + 1
            while first < end && RequestScan.isSpace(head[first]) { first += 1 }
            while end > first && RequestScan.isSpace(head[end - 1]) { end -= 1 }
            return Line(name: start..<colon, value: first..<end)
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    /// Offset of the next `byte`, or the end.
    private static func end(of byte: UInt8, in head: Span<UInt8>, from start: Int) -> Int {
        var at = start
        while at < head.count && head[at] != byte { at += 1 }
        return at
    }
}
