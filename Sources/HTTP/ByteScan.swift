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

    /// The same, but zero when the eight bytes are not all there: for a hot path that makes no calls and has another way
    /// for the end of what was received.
    @inlinable
    @inline(__always)
    package static func wholeWord(_ bytes: Span<UInt8>, at offset: Int) -> UInt64 {
        let offset = Int(UInt32(truncatingIfNeeded: offset))
        return offset <= bytes.count &- 8 ? load(bytes, offset) : 0
    }

    /// As `word`, without a call for the end of what was received: of fewer than eight bytes in all it finds none.
    @inlinable
    @inline(__always)
    package static func window(_ bytes: Span<UInt8>, at offset: Int) -> UInt64 {
        let offset = Int(UInt32(truncatingIfNeeded: offset))
        let last = bytes.count &- 8
        if offset <= last { return load(bytes, offset) }
        guard last >= 0, offset < bytes.count else { return 0 }
        return load(bytes, last) &>> UInt64(truncatingIfNeeded: 8 &* (offset &- last))
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
    @usableFromInline
    @inline(never)
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

    /// Whether `: ` and a byte above SP stand at `offset`.
    @inlinable
    @inline(__always)
    package static func isUsualSeparator(_ bytes: Span<UInt8>, at offset: Int) -> Bool {
        let at = Int(UInt32(truncatingIfNeeded: offset))
        guard at <= bytes.count &- 3 else { return false }
        return UInt16(bytes[at]) | UInt16(bytes[at &+ 1]) << 8 == 0x203A && bytes[at &+ 2] > 0x20
    }

    /// Where the CRLF of a value that begins at `start` stands; nil when none does, or white space before it.
    @inlinable
    @inline(__always)
    package static func usualValueEnd(_ bytes: Span<UInt8>, from start: Int) -> Int? {
        var at = Int(UInt32(truncatingIfNeeded: start))
        var marks: UInt64 = 0
        while at <= bytes.count &- 8 {
            marks = unusualInValue(load(bytes, at))
            if marks != 0 { break }
            at = Int(UInt32(truncatingIfNeeded: at &+ 8))
        }
        var end = marks != 0 ? place(at, marks) : lastValueEnd(bytes, at)
        if pair(bytes, at: end) != 0x0A0D {
            end = fieldValueEnd(bytes, from: end)
            if pair(bytes, at: end) != 0x0A0D { return nil }
        }
        return bytes[end &- 1] > 0x20 ? end : nil
    }

    /// Marks control characters, DEL and bytes from 0x80 on: two operations less per word than asking for what a value must
    /// not have, for the price of a call where there is HTAB or a byte from 0x80 on.
    @inlinable
    @inline(__always)
    static func unusualInValue(_ word: UInt64) -> UInt64 {
        ((word &- lows &* 0x20) | (word &+ lows)) & highs
    }

    /// The same for the last bytes, fewer than eight.
    @usableFromInline
    @inline(never)
    static func lastValueEnd(_ bytes: Span<UInt8>, _ at: Int) -> Int {
        // Zeros behind the end are marked.
        place(at, unusualInValue(window(bytes, at: at)))
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

    /// Marks the bytes of `word` that are neither letters nor 0x26 to 0x3B (digits, `/`, `.`, `-`, `&` and others): such
    /// as have to be looked at in a request target. Each mark is right.
    @inlinable
    @inline(__always)
    package static func unusualInTarget(_ word: UInt64) -> UInt64 {
        let low = word & ~highs
        let others = (low &+ lows &* (0x80 - 0x26)) & ~(low &+ lows &* (0x80 - 0x3C))
        return ~(letters(low) | others) & highs | word & highs
    }

    /// Marks the letters among bytes below 0x80; other bits are of no meaning.
    @inlinable
    @inline(__always)
    static func letters(_ low: UInt64) -> UInt64 {
        let folded = low | lows &* 0x20
        return (folded &+ lows &* (0x80 - 0x61)) & ~(folded &+ lows &* (0x80 - 0x7B))
    }

    /// Marks colons and nearly all bytes from 0x80 on; only the first mark is right for certain.
    @inlinable
    @inline(__always)
    package static func colons(_ word: UInt64) -> UInt64 { ((word ^ lows &* 0x3A) &- lows) & highs }

    /// Eight bytes that end before `end`; 0 when they are not all there.
    @inlinable
    @inline(__always)
    static func word(_ bytes: Span<UInt8>, before end: Int) -> UInt64 {
        wholeWord(bytes, at: end &- 8)
    }

    /// Whether the bytes of a name, of which `first` was loaded, are letters and `-` alone: a token for certain.
    package static func isPlainName(_ bytes: Span<UInt8>, _ start: Int, _ end: Int, _ first: UInt64) -> Bool {
        let count = end &- start
        if count < 8 {
            let unused = UInt64(truncatingIfNeeded: 64 &- 8 &* count)
            return unusualInName(first &<< unused | (lows &* 0x2D) & ~(~0 &<< unused)) == 0
        }
        var marks = unusualInName(first)
        var at = end
        while at &- start > 8 {
            marks |= unusualInName(word(bytes, before: at))
            at &-= 8
        }
        return marks == 0
    }

    /// Offset of the first byte from `start` on that is no letter, digit, `-` or `.`, or one of the last seven.
    @inline(__always)
    static func plainHostEnd(_ bytes: Span<UInt8>, from start: Int) -> Int {
        var at = start
        while true {
            let marks = unusualInHost(wholeWord(bytes, at: at))
            if marks != 0 { return place(at, marks) }
            at &+= 8
        }
    }

    /// Where the first mark is in the word at `at`. Cut to 32 bits, for otherwise the compiler keeps a counter in the loop
    /// for every difference that is taken of it later: up to five additions per word.
    @inlinable
    @inline(__always)
    package static func place(_ at: Int, _ marks: UInt64) -> Int {
        Int(UInt32(truncatingIfNeeded: at &+ marks.trailingZeroBitCount &>> 3))
    }

    /// Marks the bytes that are no letter, digit, `-` or `.`. Each mark is right.
    @inline(__always)
    static func unusualInHost(_ word: UInt64) -> UInt64 {
        let low = word & ~highs
        let others = (low &+ lows &* (0x80 - 0x2D)) & ~(low &+ lows &* (0x80 - 0x3A))
        let slash = (low ^ lows &* 0x2F) &+ lows &* 0x7F
        return ~(letters(low) | others & slash) & highs | word & highs
    }

    /// The number that the lowest `count` (1 to 8) bytes of a word are the decimal digits of; nil when one is no digit.
    @inlinable
    @inline(__always)
    package static func decimal(_ word: UInt64, count: Int) -> Int? {
        // As if zeros stood before the digits.
        let shift = UInt64(truncatingIfNeeded: 64 &- 8 &* count)
        let values = (word ^ lows &* 0x30) &<< shift
        if (values | (values &+ lows &* 0x76)) & highs != 0 { return nil }
        let pairs = values &* 10 &+ values &>> 8
        let even = (pairs & 0x00FF_0000_00FF) &* (100 &+ 1_000_000 &<< 32)
        let odd = (pairs &>> 16 & 0x00FF_0000_00FF) &* (1 &+ 10_000 &<< 32)
        return Int(truncatingIfNeeded: (even &+ odd) &>> 32)
    }

    /// Whether no byte is a control character, SP or DEL: the last check before bytes are written into a request
    /// line or a Host field.
    package static func isVisible(_ bytes: Span<UInt8>) -> Bool {
        var marks = belowOrDEL(firstBytes(bytes), 0x21)
        var end = bytes.count
        while end > 8 {
            marks |= belowOrDEL(word(bytes, before: end), 0x21)
            end &-= 8
        }
        return marks == 0 || isEachVisible(bytes)
    }

    /// Whether all bytes, at least one, are letters or 0x26 to 0x3B without the dot: no path of such bytes has anything to
    /// decode, to remove or to refuse. False says nothing.
    static func isPlainPath(_ bytes: Span<UInt8>) -> Bool {
        var marks = unusualInTarget(firstBytes(bytes)) | dots(firstBytes(bytes))
        var end = bytes.count
        while end > 8 {
            let word = word(bytes, before: end)
            marks |= unusualInTarget(word) | dots(word)
            end &-= 8
        }
        return marks == 0
    }

    /// Marks dots; marks above the first one may be wrong.
    @inline(__always)
    private static func dots(_ word: UInt64) -> UInt64 { equal(word, 0x2E) & highs }

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

    /// Marks the bytes that are no letter and no `-`, right up to the first from 0x80 on: names of other characters are rare.
    @inline(__always)
    private static func unusualInName(_ word: UInt64) -> UInt64 {
        let others = (word ^ lows &* 0x2D) &+ lows &* 0x7F
        return (~letters(word) & others | word) & highs
    }

    /// Whether a run of bytes is a token (RFC 9110 section 5.6.2).
    package static func isToken(_ bytes: Span<UInt8>) -> Bool {
        nameKind(bytes) != .notToken
    }
}
