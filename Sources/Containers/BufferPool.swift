/// Free buffers in three sizes, last in first out, so that the next taker gets memory that is still in the cache.
///
/// The pool is a cache and nothing more: a buffer that is not given back frees itself. Each size keeps at most
/// as many free buffers as its limit says, and `trim` halves that when a worker is idle.
package struct BufferPool: ~Copyable {
    /// What a buffer is taken for.
    package enum Size: Sendable {
        /// 2 KiB: the kept head of one request.
        case head
        /// 16 KiB and headroom: what one receive brings.
        case message
        /// 128 KiB and headroom: receives of a flowing body.
        case bulk
    }

    /// Room before received bytes for a chunk header or a short head.
    package static let headroom = 64
    /// Room behind received bytes for chunk framing.
    package static let tailroom = 64
    package static let headBytes = 2_048
    package static let messageBytes = 16_384
    package static let bulkBytes = 131_072

    private var heads = BufferStack(limit: 1_024)
    private var messages = BufferStack(limit: 256)
    private var bulks = BufferStack(limit: 32)
    /// Buffers that were handed out and not given back. For tests and gauges.
    package private(set) var outstanding = 0

    package init() {}

    /// Takes an empty buffer of the given size, with `headroom` bytes of headroom.
    package mutating func take(_ size: Size) -> Buffer {
        outstanding &+= 1
        switch size {
        case .head:
            if let buffer = heads.pop() { return buffer }
            return Buffer(capacity: Self.headBytes)
        case .message:
            if let buffer = messages.pop() { return buffer }
            return Buffer(capacity: Self.messageBytes + Self.headroom + Self.tailroom, headroom: Self.headroom)
        case .bulk:
            if let buffer = bulks.pop() { return buffer }
            return Buffer(capacity: Self.bulkBytes + Self.headroom + Self.tailroom, headroom: Self.headroom)
        }
    }

    /// Takes an empty buffer with room for at least `bytes` bytes: pooled when a size fits, made to measure when not.
    package mutating func take(atLeast bytes: Int) -> Buffer {
        if bytes <= Self.headBytes { return take(.head) }
        if bytes <= Self.messageBytes { return take(.message) }
        if bytes <= Self.bulkBytes { return take(.bulk) }
        outstanding &+= 1
        return Buffer(capacity: bytes + Self.headroom + Self.tailroom, headroom: Self.headroom)
    }

    /// Gives a buffer back. Its bytes are forgotten.
    package mutating func give(_ buffer: consuming Buffer) {
        outstanding &-= 1
        switch buffer.capacity {
        case Self.headBytes:
            buffer.clear()
            heads.push(buffer)
        case Self.messageBytes + Self.headroom + Self.tailroom:
            buffer.clear(headroom: Self.headroom)
            messages.push(buffer)
        case Self.bulkBytes + Self.headroom + Self.tailroom:
            buffer.clear(headroom: Self.headroom)
            bulks.push(buffer)
        default:
            break
        }
    }

    /// Frees half of the unused buffers. Called when a worker had nothing to do for a while.
    package mutating func trim() {
        heads.trim()
        messages.trim()
        bulks.trim()
    }
}

/// A bounded last-in-first-out store of buffers.
private struct BufferStack: ~Copyable {
    private var slots: FixedArray<Buffer>

    init(limit: Int) {
        slots = FixedArray(capacity: limit)
    }

    mutating func pop() -> Buffer? { slots.popLast() }

    mutating func push(_ buffer: consuming Buffer) {
        if slots.isFull { return }
        slots.append(buffer)
    }

    mutating func trim() {
        let keep = slots.count / 2
        while slots.count > keep { _ = slots.popLast() }
    }
}
