/// Searches over runs of bytes, eight at a time where it pays.
///
/// The loops shorten the span instead of raising an index: then the compiler proves every access and keeps no
/// bounds check inside.
@usableFromInline
package enum ByteScan {
    @usableFromInline static var lows: UInt64 { 0x0101_0101_0101_0101 }
    @usableFromInline static var highs: UInt64 { 0x8080_8080_8080_8080 }

    /// The first eight bytes as a little-endian word; there must be eight.
    @inlinable
    @inline(__always)
    package static func word(_ bytes: Span<UInt8>) -> UInt64 {
        UInt64(bytes[0]) | UInt64(bytes[1]) << 8 | UInt64(bytes[2]) << 16 | UInt64(bytes[3]) << 24
            | UInt64(bytes[4]) << 32 | UInt64(bytes[5]) << 40 | UInt64(bytes[6]) << 48 | UInt64(bytes[7]) << 56
    }

    /// Marks, in the high bit of each byte, the bytes of `word` that are below `bound` (at most 128). Marks above
    /// the lowest one may be wrong: only the first may be used.
    @inlinable
    @inline(__always)
    static func below(_ word: UInt64, _ bound: UInt64) -> UInt64 {
        (word &- lows &* bound) & ~word
    }

    /// Marks the bytes of `word` that are equal to `byte`; as above.
    @inlinable
    @inline(__always)
    static func equal(_ word: UInt64, _ byte: UInt64) -> UInt64 {
        below(word ^ (lows &* byte), 1)
    }

    /// Marks the bytes of `word` that are below `bound` (at most 128) or DEL. The first mark may be wrong when a byte
    /// 0xFF stands before it, those above it always: a marked byte has to be looked at.
    @inlinable
    @inline(__always)
    static func belowOrDEL(_ word: UInt64, _ bound: UInt64) -> UInt64 {
        ((word &- lows &* bound) | (word &+ lows)) & ~word & highs
    }

    /// Offset of the first byte that a field value must not have (RFC 9110 section 5.5): a control character other
    /// than HTAB. The count when there is none.
    @inlinable
    @inline(__always)
    package static func fieldValueEnd(_ bytes: Span<UInt8>) -> Int {
        var rest = bytes
        while rest.count >= 8 {
            let word = word(rest)
            let marks = belowOrDEL(word, 0x20)
            if marks == 0 {
                rest = rest.extracting(droppingFirst: 8)
                continue
            }
            let offset = marks.trailingZeroBitCount &>> 3
            let byte = UInt8(truncatingIfNeeded: word &>> UInt64(marks.trailingZeroBitCount &- 7))
            if isControl(byte) { return bytes.count &- rest.count &+ offset }
            rest = rest.extracting(droppingFirst: offset &+ 1)
        }
        var offset = 0
        while offset < rest.count && !isControl(rest[offset]) { offset &+= 1 }
        return bytes.count &- rest.count &+ offset
    }

    /// A control character other than HTAB.
    @inlinable
    @inline(__always)
    static func isControl(_ byte: UInt8) -> Bool {
        (byte < 0x20 && byte != 0x09) || byte == 0x7F
    }

    /// Offset of the first byte that ends a field name for certain: the colon, or a control character, SP, DEL or
    /// a byte above. What is before it may still be no token.
    @inlinable
    @inline(__always)
    package static func fieldNameEnd(_ bytes: Span<UInt8>) -> Int {
        var rest = bytes
        while rest.count >= 8 {
            let word = word(rest)
            let marks = (below(word, 0x21) | equal(word, 0x3A) | equal(word, 0x7F) | word) & highs
            if marks != 0 { return bytes.count &- rest.count &+ marks.trailingZeroBitCount &>> 3 }
            rest = rest.extracting(droppingFirst: 8)
        }
        while rest.count > 0 {
            let byte = rest[0]
            if byte <= 0x20 || byte == 0x3A || byte >= 0x7F { break }
            rest = rest.extracting(droppingFirst: 1)
        }
        return bytes.count &- rest.count
    }

    /// Whether no byte is a control character, SP or DEL: the last check before bytes are written into a request
    /// line or a Host field.
    @inlinable
    package static func isVisible(_ bytes: Span<UInt8>) -> Bool {
        var rest = bytes
        while rest.count >= 8 {
            if belowOrDEL(word(rest), 0x21) != 0 { break }
            rest = rest.extracting(droppingFirst: 8)
        }
        var offset = 0
        while offset < rest.count {
            if rest[offset] <= 0x20 || rest[offset] == 0x7F { return false }
            offset &+= 1
        }
        return true
    }

    /// What a run of bytes is as a field name.
    @usableFromInline
    package enum NameKind: Sendable {
        case notToken
        case token
        /// A token with `_` or `.`, which some receivers take for `-`.
        case ambiguous
    }

    /// Whether a run of bytes is a token (RFC 9110 section 5.6.2).
    package static func nameKind(_ bytes: Span<UInt8>) -> NameKind {
        if bytes.count == 0 { return .notToken }
        let plain = ByteClass.plainNameEnd(bytes)
        if plain == bytes.count { return .token }
        for offset in plain..<bytes.count where !ByteClass.isToken(bytes[offset]) { return .notToken }
        return .ambiguous
    }

    /// Whether a run of bytes is a token (RFC 9110 section 5.6.2).
    package static func isToken(_ bytes: Span<UInt8>) -> Bool {
        nameKind(bytes) != .notToken
    }
}
