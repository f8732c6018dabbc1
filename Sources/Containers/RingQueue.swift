/// A first-in-first-out queue of plain values in a ring that grows by doubling and never shrinks.
@usableFromInline
package struct RingQueue<Element>: ~Copyable {
    @usableFromInline var ring: FixedArray<Element?>
    @usableFromInline var head = 0
    @usableFromInline package internal(set) var count = 0

    @inlinable
    package init(capacity: Int = 16) {
        var size = 16
        while size < capacity { size *= 2 }
        ring = FixedArray(repeating: nil, count: size)
    }

    @inlinable
    package var isEmpty: Bool { count == 0 }

    @inlinable
    package mutating func append(_ element: Element) {
        if count == ring.count { grow() }
        ring[(head &+ count) & (ring.count &- 1)] = element
        count &+= 1
    }

    /// Puts an element before all others.
    @inlinable
    package mutating func prepend(_ element: Element) {
        if count == ring.count { grow() }
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
        ring[head] = nil
        head = (head &+ 1) & (ring.count &- 1)
        count &-= 1
        return element
    }

    @usableFromInline mutating func grow() {
        var larger = FixedArray<Element?>(repeating: nil, count: ring.count * 2)
        for offset in 0..<count { larger[offset] = ring[(head &+ offset) & (ring.count &- 1)] }
        ring = larger
        head = 0
    }
}
