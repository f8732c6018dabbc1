/// Free buffers in three sizes, last in first out, so that the next taker gets memory that is still in the cache.
///
/// The pool is a cache and nothing more: a buffer that is not given back frees itself. Each size keeps at most
/// as many free buffers as its limit says, and `trim` halves that when a worker is idle.
@usableFromInline
package struct BufferPool: ~Copyable {
    /// What a buffer is taken for.
    @usableFromInline
    package enum Size: Sendable {
        /// 2 KiB: the kept head of one request.
        case head
        /// 16 KiB and headroom: what one receive brings.
        case message
        /// 128 KiB and headroom: receives of a flowing body.
        case bulk
    }

    /// Room before received bytes for a chunk header or a short head.
    @inlinable package static var headroom: Int { 64 }
    /// Room behind received bytes for chunk framing.
    @inlinable package static var tailroom: Int { 64 }
    @inlinable package static var headBytes: Int { 2_048 }
    @inlinable package static var messageBytes: Int { 16_384 }
    @inlinable package static var bulkBytes: Int { 131_072 }

    @usableFromInline var heads = BufferStack(limit: 1_024)
    @usableFromInline var messages = BufferStack(limit: 256)
    @usableFromInline var bulks = BufferStack(limit: 32)
    /// Buffers that were handed out and not given back. For tests and gauges.
    @usableFromInline package internal(set) var outstanding = 0
    /// Bytes of all buffers that were made here and are not freed, the unused ones of this pool too. Counted where memory is
    /// asked for and given back, which is rare.
    @usableFromInline package internal(set) var allocatedBytes = 0
    /// Beyond so many bytes flowing content gets small buffers, so that what waits for a slow reader is small too.
    package var bulkLimit = Int.max

    @inlinable
    package init() {}

    @inlinable static var messageCapacity: Int { messageBytes + headroom + tailroom }
    @inlinable static var bulkCapacity: Int { bulkBytes + headroom + tailroom }

    /// Takes an empty buffer of the given size, with `headroom` bytes of headroom (a head has none).
    @inlinable
    package mutating func take(_ size: Size) -> Buffer {
        outstanding &+= 1
        switch size {
        case .head:
            if let buffer = heads.pop() { return buffer }
            return make(capacity: Self.headBytes, headroom: 0)
        case .message:
            if let buffer = messages.pop() { return buffer }
            return make(capacity: Self.messageCapacity, headroom: Self.headroom)
        case .bulk:
            if let buffer = bulks.pop() { return buffer }
            return make(capacity: Self.bulkCapacity, headroom: Self.headroom)
        }
    }

    @usableFromInline
    @inline(never)
    mutating func make(capacity: Int, headroom: Int) -> Buffer {
        allocatedBytes &+= capacity
        return Buffer(capacity: capacity, headroom: headroom)
    }

    /// Takes an empty buffer for one receive, of a flowing body if `isBulk`.
    package mutating func takeForReceiving(isBulk: Bool) -> Buffer {
        take(isBulk && allocatedBytes < bulkLimit ? .bulk : .message)
    }

    /// Takes an empty buffer with room for at least `bytes` bytes: pooled when a size fits, made to measure when not.
    @inlinable
    package mutating func take(atLeast bytes: Int) -> Buffer {
        if bytes <= Self.headBytes { return take(.head) }
        return takeLarge(atLeast: bytes)
    }

    /// Bytes that a buffer from `take(atLeast:)` occupies.
    package static func capacity(for bytes: Int) -> Int {
        if bytes <= headBytes { return headBytes }
        if bytes <= messageBytes { return messageCapacity }
        return max(bulkCapacity, bytes &+ headroom &+ tailroom)
    }

    @usableFromInline
    @inline(never)
    mutating func takeLarge(atLeast bytes: Int) -> Buffer {
        if bytes <= Self.messageBytes { return take(.message) }
        if bytes <= Self.bulkBytes { return take(.bulk) }
        outstanding &+= 1
        return make(capacity: bytes + Self.headroom + Self.tailroom, headroom: Self.headroom)
    }

    /// Gives a buffer back. Its bytes are forgotten.
    @inlinable
    @inline(__always)
    package mutating func give(_ buffer: consuming Buffer) {
        switch buffer.capacity {
        case Self.headBytes:
            outstanding &-= 1
            buffer.clear()
            if heads.isFull { free(buffer) } else { heads.push(buffer) }
        case Self.messageCapacity:
            outstanding &-= 1
            buffer.clear(headroom: Self.headroom)
            if messages.isFull { free(buffer) } else { messages.push(buffer) }
        default:
            giveLarge(buffer)
        }
    }

    @usableFromInline
    @inline(never)
    mutating func giveLarge(_ buffer: consuming Buffer) {
        outstanding &-= 1
        guard buffer.capacity == Self.bulkCapacity, !bulks.isFull else {
            free(buffer)
            return
        }
        buffer.clear(headroom: Self.headroom)
        bulks.push(buffer)
    }

    /// Not inlined: the memory's way back is rare, and would stand at every call of `give`.
    @usableFromInline
    @inline(never)
    mutating func free(_ buffer: consuming Buffer) {
        allocatedBytes &-= buffer.capacity
        _ = consume buffer
    }

    /// Frees half of the unused buffers. Called when a worker had nothing to do for a while.
    package mutating func trim() {
        let freed =
            heads.trim() &* Self.headBytes &+ messages.trim() &* Self.messageCapacity &+ bulks.trim()
            &* Self.bulkCapacity
        allocatedBytes &-= freed
    }
}

/// A bounded last-in-first-out store of buffers.
@usableFromInline
struct BufferStack: ~Copyable {
    @usableFromInline var slots: FixedArray<Buffer>

    @inlinable
    init(limit: Int) {
        slots = FixedArray(capacity: limit)
    }

    @inlinable
    mutating func pop() -> Buffer? { slots.popLast() }

    @inlinable var isFull: Bool { slots.isFull }

    @inlinable
    mutating func push(_ buffer: consuming Buffer) {
        slots.append(buffer)
    }

    /// Frees half of them. Returns how many.
    mutating func trim() -> Int {
        let freed = slots.count - slots.count / 2
        for _ in 0..<freed { _ = slots.popLast() }
        return freed
    }
}
