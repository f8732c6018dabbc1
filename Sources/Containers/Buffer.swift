/// A block of bytes with one owner: headroom, readable bytes, tailroom.
///
///     base          start            end            base + capacity
///      |  headroom    |   readable    |   tailroom    |
///
/// Moving a `Buffer` moves ownership, so that bytes are never shared, copied by accident or used after they
/// went back to the pool. Every access is checked against the bounds above.
@safe
@usableFromInline
package struct Buffer: ~Copyable {
    @usableFromInline let base: UnsafeMutablePointer<UInt8>
    /// Bytes that the block holds in all.
    @usableFromInline package let capacity: Int
    /// Offset of the first readable byte from the block's beginning.
    @usableFromInline package internal(set) var start: Int
    /// Offset behind the last readable byte.
    @usableFromInline package internal(set) var end: Int

    /// Allocates an empty block. `headroom` bytes are kept free before the first readable byte.
    @inlinable
    package init(capacity: Int, headroom: Int = 0) {
        precondition(capacity > 0 && headroom >= 0 && headroom <= capacity)
        // SAFETY: the memory is owned by this value alone until `deinit`.
        unsafe base = .allocate(capacity: capacity)
        self.capacity = capacity
        start = headroom
        end = headroom
    }

    @inlinable
    deinit {
        // SAFETY: allocated in `init`, never handed out as a pointer that outlives a call.
        unsafe base.deallocate()
    }

    /// Readable bytes.
    @inlinable
    package var count: Int { end &- start }
    @inlinable
    package var isEmpty: Bool { end == start }
    /// Free bytes before the readable ones.
    @inlinable
    package var headroom: Int { start }
    /// Free bytes behind the readable ones.
    @inlinable
    package var tailroom: Int { capacity &- end }

    /// The readable bytes.
    @inlinable
    package var span: Span<UInt8> {
        @_lifetime(borrow self)
        borrowing get {
            // SAFETY: start...end is initialised and inside the block; the span cannot outlive `self`.
            let span = unsafe Span(_unsafeStart: base + start, count: end &- start)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// The readable bytes, to be changed in place.
    @inlinable
    package var mutableSpan: MutableSpan<UInt8> {
        @_lifetime(&self)
        mutating get {
            // SAFETY: as `span`; exclusive because `self` is borrowed mutably for the span's lifetime.
            let span = unsafe MutableSpan(_unsafeStart: base + start, count: end &- start)
            return unsafe _overrideLifetime(span, mutating: &self)
        }
    }

    @inlinable
    package subscript(offset: Int) -> UInt8 {
        get {
            precondition(offset >= 0 && offset < end &- start)
            // SAFETY: checked above.
            return unsafe base[start &+ offset]
        }
        set {
            precondition(offset >= 0 && offset < end &- start)
            // SAFETY: checked above.
            unsafe base[start &+ offset] = newValue
        }
    }

    /// Forgets all readable bytes and leaves `headroom` bytes free before the next ones.
    @inlinable
    package mutating func clear(headroom: Int = 0) {
        precondition(headroom >= 0 && headroom <= capacity)
        start = headroom
        end = headroom
    }

    /// Drops `count` readable bytes at the front.
    @inlinable
    package mutating func dropFirst(_ count: Int) {
        precondition(count >= 0 && count <= end &- start)
        start &+= count
    }

    /// Keeps the first `count` readable bytes.
    @inlinable
    package mutating func keepFirst(_ count: Int) {
        precondition(count >= 0 && count <= end &- start)
        end = start &+ count
    }

    /// Appends one byte; there must be tailroom.
    @inlinable
    package mutating func append(_ byte: UInt8) {
        precondition(end < capacity)
        // SAFETY: checked above.
        unsafe base[end] = byte
        end &+= 1
    }

    /// Appends a copy of `bytes`; there must be tailroom for all of them.
    @inlinable
    @inline(__always)
    package mutating func append(_ bytes: Span<UInt8>) {
        let count = bytes.count
        precondition(count <= capacity &- end)
        // SAFETY: the destination was checked above; a span of another owner cannot overlap our tailroom, and `initialize`
        // is the copy that need not find out which of the two lies lower.
        unsafe bytes.withUnsafeBufferPointer { source in
            guard let first = source.baseAddress else { return }
            unsafe (base + end).initialize(from: first, count: count)
        }
        end &+= count
    }

    /// Appends eight bytes, the lowest first; there must be tailroom for them.
    @inlinable
    package mutating func append(littleEndian word: UInt64) {
        precondition(capacity &- end >= 8)
        // SAFETY: checked above; the address need not be aligned.
        unsafe UnsafeMutableRawPointer(base + end).storeBytes(of: word.littleEndian, as: UInt64.self)
        end &+= 8
    }

    /// Appends the bytes of a literal; there must be tailroom for all of them.
    ///
    /// Always inlined: then the length is a constant and the copy two or three moves.
    @inlinable
    @inline(__always)
    package mutating func append(_ literal: StaticString) {
        let count = literal.utf8CodeUnitCount
        precondition(count <= capacity &- end)
        // SAFETY: a static string's UTF-8 lives for ever; the destination was checked above.
        unsafe (base + end).initialize(from: literal.utf8Start, count: count)
        end &+= count
    }

    /// Appends a copy of another buffer's readable bytes; there must be tailroom.
    @inlinable
    @inline(__always)
    package mutating func append(_ other: borrowing Buffer) {
        append(other.span)
    }

    /// Appends a copy of a range of another buffer's readable bytes; there must be tailroom.
    @inlinable
    @inline(__always)
    package mutating func append(_ other: borrowing Buffer, _ range: Range<Int>) {
        let count = range.count
        precondition(range.lowerBound >= 0 && range.upperBound <= other.count && count <= capacity &- end)
        // SAFETY: source and destination were checked above; another buffer is other memory.
        unsafe (base + end).initialize(from: other.base + (other.start &+ range.lowerBound), count: count)
        end &+= count
    }

    /// Appends an array's bytes; there must be tailroom for all of them.
    @inlinable
    package mutating func append(_ bytes: [UInt8]) {
        append(bytes.span)
    }

    /// Appends a number in decimal ASCII.
    package mutating func append(decimal value: Int) {
        precondition(capacity &- end >= 20)
        if value >= 0 && value < 100_000_000 {
            appendShort(UInt(bitPattern: value))
        } else {
            if value < 0 { append(0x2D) }
            appendLong(value.magnitude)
        }
    }

    @inline(__always)
    private mutating func appendShort(_ value: UInt) {
        let digits = Self.eightDigits(value)
        let leadingZeros = min(digits.trailingZeroBitCount &>> 3, 7)
        append(digits: digits &>> UInt64(truncatingIfNeeded: leadingZeros &<< 3), 8 &- leadingZeros)
    }

    @inline(never)
    private mutating func appendLong(_ value: UInt) {
        if value < 100_000_000 {
            appendShort(value)
        } else {
            appendLong(value / 100_000_000)
            append(digits: Self.eightDigits(value % 100_000_000), 8)
        }
    }

    /// The eight decimal digits of a number below 10^8, a byte each, the first in the lowest. Splits in halves, quarters and
    /// eighths at once: dividing digit by digit cost four times as much.
    @inline(__always)
    private static func eightDigits(_ value: UInt) -> UInt64 {
        let high = UInt64(value / 10_000)
        let halves = high | (UInt64(value) &- high &* 10_000) &<< 32
        // 10486 / 2^20 is a hundredth, exactly enough below 10,000; 103 / 2^10 a tenth below 100.
        let hundreds = (halves &* 10_486) &>> 20 & 0x0000_007F_0000_007F
        let quarters = hundreds | (halves &- hundreds &* 100) &<< 16
        let tens = (quarters &* 103) &>> 10 & 0x000F_000F_000F_000F
        return tens | (quarters &- tens &* 10) &<< 8
    }

    /// Appends the first `count` of eight digits. A whole word is stored: the longest number, with its sign, ends with its last
    /// word after twenty bytes.
    @inline(__always)
    private mutating func append(digits: UInt64, _ count: Int) {
        precondition(capacity &- end >= 8 && count <= 8)
        let text = digits | 0x3030_3030_3030_3030
        // SAFETY: checked above; what lies behind the digits is tailroom still.
        unsafe UnsafeMutableRawPointer(base + end).storeBytes(of: text.littleEndian, as: UInt64.self)
        end &+= count
    }

    /// Appends a number in lower-case hexadecimal ASCII without leading zeros.
    @inlinable
    package mutating func append(hexadecimal value: Int) {
        precondition(value >= 0 && capacity &- end >= 16)
        var shift = 60
        while shift > 0 && (value >> shift) & 15 == 0 { shift &-= 4 }
        while shift >= 0 {
            let digit = UInt8(truncatingIfNeeded: (value >> shift) & 15)
            append(digit < 10 ? 0x30 &+ digit : 0x57 &+ digit)
            shift &-= 4
        }
    }

    /// Puts a copy of `bytes` directly before the readable ones; there must be headroom.
    @inlinable
    package mutating func prepend(_ bytes: Span<UInt8>) {
        let count = bytes.count
        precondition(count <= start)
        start &-= count
        // SAFETY: start...start+count lies inside the headroom, checked above.
        unsafe bytes.withUnsafeBufferPointer { source in
            guard let first = source.baseAddress else { return }
            unsafe (base + start).update(from: first, count: count)
        }
    }

    /// Moves `count` readable bytes from offset `from` down to offset `to` (both from the first readable byte).
    @inlinable
    package mutating func moveBytes(from: Int, to: Int, count: Int) {
        precondition(count >= 0 && to >= 0 && from >= to && from <= self.count && count <= self.count &- from)
        // SAFETY: both ranges are inside the readable bytes; `update` allows overlap towards lower addresses.
        unsafe (base + (start &+ to)).update(from: base + (start &+ from), count: count)
    }

    /// Moves the readable bytes so that `headroom` bytes are free before them; they must still fit.
    @inlinable
    package mutating func slide(headroom: Int) {
        let count = end &- start
        precondition(headroom >= 0 && headroom <= capacity &- count)
        // SAFETY: memmove semantics; source and destination are inside the block.
        unsafe (base + headroom).update(from: base + start, count: count)
        start = headroom
        end = headroom &+ count
    }

    /// Lets `body` write into the tailroom (at most `limit` bytes of it) and takes over as many bytes as it returns.
    ///
    /// For system calls only: `body` must not write outside the given memory.
    @inlinable
    package mutating func fill<E: Error>(
        limit: Int = .max, _ body: (UnsafeMutableRawPointer, Int) throws(E) -> Int
    ) throws(E) -> Int {
        let room = min(limit, capacity &- end)
        // SAFETY: the pointer is only valid inside the call; the count is checked before it is believed.
        let written = unsafe try body(UnsafeMutableRawPointer(base + end), room)
        precondition(written >= 0 && written <= room)
        end &+= written
        return written
    }

    /// Lends the readable bytes to a system call.
    @inlinable
    package borrowing func withReadable<R, E: Error>(
        _ body: (UnsafeRawPointer, Int) throws(E) -> R
    ) throws(E) -> R {
        // SAFETY: the pointer is only valid inside the call.
        unsafe try body(UnsafeRawPointer(base + start), end &- start)
    }
}
