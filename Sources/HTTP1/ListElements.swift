import HTTP

/// Walks over the elements of a comma-separated list of tokens (RFC 9110 section 5.6.1). Quoted strings are not
/// understood: no list that is read here may have them.
struct ListElements {
    /// Offset of the next element from the value's first byte; behind the end when all were seen.
    private var position = 0

    /// Range of the next element without the white space around it; it may be empty. Nil at the end.
    mutating func next(_ value: Span<UInt8>) -> Range<Int>? {
        guard position <= value.count else { return nil }
        var start = position
        var end = start
        while end < value.count && value[end] != 0x2C { end &+= 1 }
        position = end &+ 1
        while start < end && (value[start] == 0x20 || value[start] == 0x09) { start &+= 1 }
        while end > start && (value[end &- 1] == 0x20 || value[end &- 1] == 0x09) { end &-= 1 }
        return start..<end
    }
}
