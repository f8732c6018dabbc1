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
        let known = KnownField.recognise(rest, count: nameCount)
        var isAmbiguous = false
        if known == .other {
            switch ByteScan.nameKind(rest.extracting(first: nameCount)) {
            case .notToken: return .invalid
            case .token: break
            case .ambiguous: isAmbiguous = true
            }
        }
        // Nearly always exactly one SP stands before the value.
        var isNormal = rest[nameCount &+ 1] == 0x20
        var value = rest.extracting(droppingFirst: isNormal ? nameCount &+ 2 : nameCount &+ 1)
        while value.count > 0 && (value[0] == 0x20 || value[0] == 0x09) {
            value = value.extracting(droppingFirst: 1)
            isNormal = false
        }
        let valueStart = rest.count &- value.count
        var count = ByteScan.fieldValueEnd(value)
        if valueStart &+ count > limit { return .tooLong }
        guard count &+ 1 < value.count else {
            return count < value.count && value[count] != 0x0D ? .invalid : .incomplete
        }
        guard value[count] == 0x0D, value[count &+ 1] == 0x0A else { return .invalid }
        cursor = start &+ valueStart &+ count &+ 2
        while count > 0 && (value[count &- 1] == 0x20 || value[count &- 1] == 0x09) {
            count &-= 1
            isNormal = false
        }
        line.name = ByteRange(start: start, count: nameCount)
        line.value = ByteRange(start: start &+ valueStart, count: count)
        line.known = known
        line.isRemoved = isAmbiguous
        line.isNormal = isNormal
        return .line
    }

    /// The verdict on a line whose name is not ended by a colon within the limit and the bytes at hand.
    @inline(never)
    private static func brokenName(_ rest: Span<UInt8>, _ nameCount: Int, _ limit: Int) -> Outcome {
        let checked = min(nameCount, limit)
        if checked > 0 && !ByteScan.isToken(rest.extracting(first: checked)) { return .invalid }
        if nameCount > limit { return .tooLong }
        if nameCount == rest.count { return .incomplete }
        return nameCount > 0 && rest[nameCount] == 0x3A ? .incomplete : .invalid
    }
}
