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

    /// Scans the line at `cursor`, which must not be negative; a line longer than `limit` bytes is too long.
    @inline(__always)
    static func scan(_ bytes: Span<UInt8>, _ cursor: inout Int, limit: Int, into line: inout FieldLine) -> Outcome {
        let start = cursor
        let count = bytes.count
        guard start < count else { return .incomplete }
        if bytes[start] == 0x0D {
            guard start &+ 1 < count else { return .incomplete }
            guard bytes[start &+ 1] == 0x0A else { return .invalid }
            cursor = start &+ 2
            return .end
        }
        let rest = bytes.extracting(droppingFirst: start)
        let nameCount = ByteScan.fieldNameEnd(rest)
        guard nameCount < rest.count, nameCount <= limit, rest[nameCount] == 0x3A, nameCount > 0 else {
            return brokenName(rest, nameCount, limit)
        }
        let known = KnownField.recognise(bytes, at: start, count: nameCount)
        var isAmbiguous = false
        if known == .other {
            switch ByteScan.nameKind(rest.extracting(first: nameCount)) {
            case .notToken: return .invalid
            case .token: break
            case .ambiguous: isAmbiguous = true
            }
        }
        var value = nameCount &+ 1
        while value < rest.count && (rest[value] == 0x20 || rest[value] == 0x09) { value &+= 1 }
        var end = value &+ ByteScan.fieldValueEnd(rest.extracting(droppingFirst: value))
        if end > limit { return .tooLong }
        guard end &+ 1 < rest.count else {
            return end < rest.count && rest[end] != 0x0D ? .invalid : .incomplete
        }
        guard rest[end] == 0x0D, rest[end &+ 1] == 0x0A else { return .invalid }
        cursor = start &+ end &+ 2
        while end > value && (rest[end &- 1] == 0x20 || rest[end &- 1] == 0x09) { end &-= 1 }
        line = FieldLine(
            name: ByteRange(start: start, count: nameCount),
            value: ByteRange(start: start &+ value, count: end &- value), known: known)
        line.isRemoved = isAmbiguous
        return .line
    }

    /// The verdict on a line whose name is not ended by a colon within the limit and the bytes at hand.
    @inline(never)
    private static func brokenName(_ rest: Span<UInt8>, _ nameCount: Int, _ limit: Int) -> Outcome {
        let checked = min(nameCount, limit)
        if checked > 0 && !ByteScan.isToken(rest.extracting(first: checked)) { return .invalid }
        if nameCount > limit { return .tooLong }
        return nameCount == rest.count ? .incomplete : .invalid
    }
}
