import HTTP

/// Finds one field line (RFC 9112 section 5) of a request head, a response head or a trailer section.
///
/// Strict: CRLF ends a line and nothing else does, no white space before the colon, no folding, no control
/// characters. The outcome depends on the bytes up to where it shows, never on how many more there are, so that a
/// head gets the same verdict however it is cut.
enum FieldLineScanner {
    enum Outcome {
        /// `line` was set and `cursor` stands behind its CRLF.
        case line
        /// The empty line; `cursor` stands behind it.
        case end
        case incomplete
        case invalid
        case tooLong
    }

    /// A line and where the next one begins.
    struct Found {
        let line: FieldLine
        let end: Int
    }

    /// The line at `start` if it is whole and at most `limit` bytes long, stands as it would be written
    /// (`Name: value CRLF`), has no HTAB and nothing unusual in its name. Nil says nothing: `scan` has the verdict.
    @inline(__always)
    static func usualLine(_ bytes: Span<UInt8>, at start: Int, limit: Int) -> Found? {
        let first = ByteScan.wholeWord(bytes, at: start)
        var marks = ByteScan.colons(first)
        var colon = start
        let known: KnownField
        if marks != 0 {
            // The bytes up to and with the colon.
            known = KnownField.recognise(ended: first & (marks ^ (marks &- 1)))
            colon = ByteScan.place(start, marks)
        } else {
            repeat {
                colon &+= 8
                if colon &- start > 56 { return nil }
                marks = ByteScan.colons(ByteScan.wholeWord(bytes, at: colon))
            } while marks == 0
            colon = ByteScan.place(colon, marks)
            known = KnownField.recognise(bytes, from: start, to: colon, first)
        }
        guard ByteScan.isUsualSeparator(bytes, at: colon) else { return nil }
        if !known.hasOneName && !ByteScan.isPlainName(bytes, start, colon, first) { return nil }
        let value = colon &+ 2
        guard let end = ByteScan.usualValueEnd(bytes, from: value), end &- start <= limit else { return nil }
        return Found(
            line: FieldLine(
                name: ByteRange(start: start, count: colon &- start),
                value: ByteRange(start: value, count: end &- value), known: known, isNormal: true),
            end: end &+ 2)
    }

    /// Scans the line at `cursor`, which must not be negative; a line longer than `limit` bytes is too long.
    @inline(never)
    static func scan(_ bytes: Span<UInt8>, _ cursor: inout Int, limit: Int, into line: inout FieldLine) -> Outcome {
        let start = cursor
        let rest = bytes.extracting(droppingFirst: start)
        guard rest.count >= 2 else {
            return rest.count == 1 && rest[0] != 0x0D ? brokenName(rest, 1, limit) : .incomplete
        }
        if rest[0] == 0x0D {
            cursor = start &+ 2
            return rest[1] == 0x0A ? .end : .invalid
        }
        let nameCount = ByteScan.fieldNameEnd(rest)
        guard nameCount &+ 1 < rest.count, nameCount <= limit, rest[nameCount] == 0x3A, nameCount > 0 else {
            return brokenName(rest, nameCount, limit)
        }
        let name = rest.extracting(first: nameCount)
        let kind = ByteScan.nameKind(name)
        if kind == .notToken { return .invalid }
        // Nearly always exactly one SP stands before the value.
        var isNormal = rest[nameCount &+ 1] == 0x20
        var valueStart = isNormal ? nameCount &+ 2 : nameCount &+ 1
        while valueStart < rest.count && (rest[valueStart] == 0x20 || rest[valueStart] == 0x09) {
            valueStart &+= 1
            isNormal = false
        }
        var end = ByteScan.fieldValueEnd(rest, from: valueStart)
        if end > limit { return .tooLong }
        guard end &+ 1 < rest.count else {
            return end < rest.count && rest[end] != 0x0D ? .invalid : .incomplete
        }
        guard rest[end] == 0x0D, rest[end &+ 1] == 0x0A else { return .invalid }
        cursor = start &+ end &+ 2
        while end > valueStart && (rest[end &- 1] == 0x20 || rest[end &- 1] == 0x09) {
            end &-= 1
            isNormal = false
        }
        line.name = ByteRange(start: start, count: nameCount)
        line.value = ByteRange(start: start &+ valueStart, count: end &- valueStart)
        line.known = KnownField.recognise(name)
        line.isRemoved = kind == .ambiguous
        line.isNormal = isNormal
        return .line
    }

    /// The verdict on a line whose name is not ended by a colon within the limit and the bytes at hand.
    private static func brokenName(_ rest: Span<UInt8>, _ nameCount: Int, _ limit: Int) -> Outcome {
        let checked = min(nameCount, limit)
        if checked > 0 && !ByteScan.isToken(rest.extracting(first: checked)) { return .invalid }
        if nameCount > limit { return .tooLong }
        if nameCount == rest.count { return .incomplete }
        return nameCount > 0 && rest[nameCount] == 0x3A ? .incomplete : .invalid
    }
}
