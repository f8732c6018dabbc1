/// A first-in-first-out queue of plain values in a ring that grows by doubling and never shrinks. It has no memory before its
/// first element.
@usableFromInline
package struct RingQueue<Element: BitwiseCopyable>: ~Copyable {
    /// Full: a place that holds no element of the queue holds one of the past.
    @usableFromInline var ring = FixedArray<Element>(capacity: 0)
    @usableFromInline let firstSize: Int
    @usableFromInline var head = 0
    @usableFromInline package internal(set) var count = 0

    @inlinable
    package init(capacity: Int = 16) {
        var size = 16
        while size < capacity { size *= 2 }
        firstSize = size
    }

    @inlinable
    package var isEmpty: Bool { count == 0 }

    @inlinable
    package mutating func append(_ element: Element) {
        if count >= ring.count { grow(filling: element) }
        ring[(head &+ count) & (ring.count &- 1)] = element
        count &+= 1
    }

    /// Puts an element before all others.
    @inlinable
    package mutating func prepend(_ element: Element) {
        if count >= ring.count { grow(filling: element) }
        head = (head &- 1) & (ring.count &- 1)
        ring[head] = element
        count &+= 1
    }

    @inlinable
    package var first: Element? { count == 0 ? nil : ring[head] }

    @inlinable
    package mutating func popFirst() -> Element? {
        if count == 0 { return nil }
        let element = ring[head]
        head = (head &+ 1) & (ring.count &- 1)
        count &-= 1
        return element
    }

    @usableFromInline
    @inline(never)
    mutating func grow(filling element: Element) {
        var larger = FixedArray(repeating: element, count: max(firstSize, ring.count * 2))
        for offset in 0..<count { larger[offset] = ring[(head &+ offset) & (ring.count &- 1)] }
        ring = larger
        head = 0
    }
}
