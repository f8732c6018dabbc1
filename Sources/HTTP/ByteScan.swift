/// Searches over runs of bytes, eight at a time where it pays.
///
/// Offsets have 32 bits, as in `ByteRange`. Told so, the compiler proves all eight accesses of a word from one
/// comparison, inside loops too; with an `Int` it keeps five of the eight checks there, and a span that is shortened
/// step by step costs a test for a null pointer at each.
@usableFromInline
package enum ByteScan {
    @usableFromInline static var lows: UInt64 { 0x0101_0101_0101_0101 }
    @usableFromInline static var highs: UInt64 { 0x8080_8080_8080_8080 }

    /// The first eight bytes as a little-endian word; there must be eight.
    @inlinable
    @inline(__always)
    package static func word(_ bytes: Span<UInt8>) -> UInt64 { load(bytes, 0) }

    /// Eight bytes from `offset` on as a little-endian word, zeros in the place of those behind the end.
    @inlinable
    @inline(__always)
    package static func word(_ bytes: Span<UInt8>, at offset: Int) -> UInt64 {
        let offset = Int(UInt32(truncatingIfNeeded: offset))
        return offset <= bytes.count &- 8 ? load(bytes, offset) : lastWord(bytes, offset)
    }

    /// Two bytes from `offset` on, the first in the low half; 0 when they are not both there.
    @inlinable
    @inline(__always)
    package static func pair(_ bytes: Span<UInt8>, at offset: Int) -> UInt16 {
        let offset = Int(UInt32(truncatingIfNeeded: offset))
        guard offset <= bytes.count &- 2 else { return 0 }
        return UInt16(bytes[offset]) | UInt16(bytes[offset &+ 1]) << 8
    }

    @inlinable
    @inline(__always)
    static func load(_ bytes: Span<UInt8>, _ at: Int) -> UInt64 {
        UInt64(bytes[at]) | UInt64(bytes[at &+ 1]) << 8 | UInt64(bytes[at &+ 2]) << 16
            | UInt64(bytes[at &+ 3]) << 24 | UInt64(bytes[at &+ 4]) << 32 | UInt64(bytes[at &+ 5]) << 40
            | UInt64(bytes[at &+ 6]) << 48 | UInt64(bytes[at &+ 7]) << 56
    }

    /// Fewer than eight bytes, or none: those that the last whole word has, or byte by byte.
    @usableFromInline
    @inline(never)
    static func lastWord(_ bytes: Span<UInt8>, _ offset: Int) -> UInt64 {
        let count = bytes.count &- offset
        guard count > 0 else { return 0 }
        let unused = UInt64(truncatingIfNeeded: 64 &- 8 &* count)
        if bytes.count >= 8 { return load(bytes.extracting(last: 8), 0) &>> unused }
        var word: UInt64 = 0
        for index in offset..<bytes.count { word = word &>> 8 | UInt64(bytes[index]) &<< 56 }
        return word &>> unused
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

    /// Offset of the first byte from `start` on that a field value must not have (RFC 9110 section 5.5): a control
    /// character other than HTAB. The count when there is none.
    package static func fieldValueEnd(_ bytes: Span<UInt8>, from start: Int = 0) -> Int {
        var at = start
        while at < bytes.count {
            let word = word(bytes, at: at)
            // Zeros behind the end are control characters.
            let marks = belowOrDEL(word, 0x20)
            if marks == 0 {
                at &+= 8
                continue
            }
            at &+= marks.trailingZeroBitCount &>> 3
            if at >= bytes.count || isControl(bytes[at]) { break }
            at &+= 1
        }
        return min(at, bytes.count)
    }

    /// Where the CRLF of a value that begins at `start` stands, if the value has no control characters at all, and
    /// no white space at its ends; nil also for an empty value.
    @inlinable
    @inline(__always)
    package static func usualValueEnd(_ bytes: Span<UInt8>, from start: Int) -> Int? {
        var word = word(bytes, at: start)
        if UInt8(truncatingIfNeeded: word) <= 0x20 { return nil }
        var at = start
        var marks = belowOrDEL(word, 0x20)
        while marks == 0 {
            at &+= 8
            word = Self.word(bytes, at: at)
            // Zeros behind the end are control characters.
            marks = belowOrDEL(word, 0x20)
        }
        let end = Int(UInt32(truncatingIfNeeded: at &+ marks.trailingZeroBitCount &>> 3))
        guard end <= bytes.count &- 2, bytes[end] == 0x0D, bytes[end &+ 1] == 0x0A, end > 0, bytes[end &- 1] > 0x20
        else { return nil }
        return end
    }

    /// A control character other than HTAB.
    @inlinable
    @inline(__always)
    static func isControl(_ byte: UInt8) -> Bool {
        (byte < 0x20 && byte != 0x09) || byte == 0x7F
    }

    /// Offset of the first byte that ends a field name for certain: the colon, or a control character, SP, DEL or
    /// a byte above. What is before it may still be no token. The count when there is none.
    package static func fieldNameEnd(_ bytes: Span<UInt8>, from start: Int = 0) -> Int {
        var at = start
        while at < bytes.count {
            let word = word(bytes, at: at)
            let marks = (below(word, 0x21) | equal(word, 0x3A) | equal(word, 0x7F) | word) & highs
            if marks != 0 { return min(at &+ marks.trailingZeroBitCount &>> 3, bytes.count) }
            at &+= 8
        }
        return bytes.count
    }

    /// Offset of the first colon from `start` on, where `first` was loaded; nil when none is near.
    @inlinable
    @inline(__always)
    package static func colon(_ bytes: Span<UInt8>, from start: Int, _ first: UInt64) -> Int? {
        var at = start
        var marks = equal(first, 0x3A) & highs
        while marks == 0 {
            at &+= 8
            if at &- start > 56 { return nil }
            marks = equal(word(bytes, at: at), 0x3A) & highs
        }
        return at &+ marks.trailingZeroBitCount &>> 3
    }

    /// Whether the bytes of a name, of which `first` was loaded, are letters and `-` alone: a token for certain.
    package static func isPlainName(_ bytes: Span<UInt8>, _ start: Int, _ end: Int, _ first: UInt64) -> Bool {
        let count = end &- start
        if count < 8 {
            let unused = UInt64(truncatingIfNeeded: 8 &* count)
            return areLettersOrHyphens((first & ((1 &<< unused) &- 1)) | (lows &* 0x2D) &<< unused)
        }
        var at = end &- 8
        while at > start {
            if !areLettersOrHyphens(word(bytes, at: at)) { return false }
            at &-= 8
        }
        return areLettersOrHyphens(first)
    }

    /// Whether no byte is a control character, SP or DEL: the last check before bytes are written into a request
    /// line or a Host field.
    package static func isVisible(_ bytes: Span<UInt8>) -> Bool {
        if belowOrDEL(firstBytes(bytes), 0x21) != 0 { return isEachVisible(bytes) }
        var at = bytes.count &- 8
        while at > 0 {
            if belowOrDEL(word(bytes, at: at), 0x21) != 0 { return isEachVisible(bytes) }
            at &-= 8
        }
        return true
    }

    @inline(never)
    private static func isEachVisible(_ bytes: Span<UInt8>) -> Bool {
        for index in bytes.indices where bytes[index] <= 0x20 || bytes[index] == 0x7F { return false }
        return true
    }

    /// The first eight bytes as a word; of a shorter run all of them, some more than once, and 0 of an empty one. For
    /// questions about every byte that do not depend on its place.
    @inline(__always)
    static func firstBytes(_ bytes: Span<UInt8>) -> UInt64 {
        let count = bytes.count
        if count >= 8 { return load(bytes, 0) }
        if count >= 4 { return UInt64(half(bytes, at: 0)) | UInt64(half(bytes, at: count &- 4)) << 32 }
        if count == 0 { return 0 }
        let inner = UInt64(bytes[0]) | UInt64(bytes[count &>> 1]) << 8 | UInt64(bytes[count &- 1]) << 16
        return inner | inner << 24 | UInt64(bytes[0]) << 48 | UInt64(bytes[0]) << 56
    }

    /// Four bytes; 0 when they are not all there.
    @inline(__always)
    private static func half(_ bytes: Span<UInt8>, at offset: Int) -> UInt32 {
        let offset = Int(UInt32(truncatingIfNeeded: offset))
        guard offset <= bytes.count &- 4 else { return 0 }
        return UInt32(bytes[offset]) | UInt32(bytes[offset &+ 1]) << 8 | UInt32(bytes[offset &+ 2]) << 16
            | UInt32(bytes[offset &+ 3]) << 24
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
        var kind = NameKind.token
        for index in bytes.indices {
            let byte = bytes[index]
            if !ByteClass.isToken(byte) { return .notToken }
            if byte == 0x5F || byte == 0x2E { kind = .ambiguous }
        }
        return kind
    }

    /// Whether all eight bytes are letters or `-`: names of other characters are rare.
    @inline(__always)
    private static func areLettersOrHyphens(_ word: UInt64) -> Bool {
        let folded = (word | lows &* 0x20) & ~highs
        let letters = (folded &+ lows &* 0x1F) & ~(folded &+ lows &* 0x05)
        let others = ((word ^ lows &* 0x2D) & ~highs) &+ lows &* 0x7F
        return (word | (~letters & others)) & highs == 0
    }

    /// Whether a run of bytes is a token (RFC 9110 section 5.6.2).
    package static func isToken(_ bytes: Span<UInt8>) -> Bool {
        nameKind(bytes) != .notToken
    }
}
