/// An array with one owner and a capacity that is fixed when it is made. Access is checked against `count`.
///
/// It exists beside `Array` because it holds non-copyable elements, never reallocates and its subscript hands
/// out an address: changing a field of an element in place costs no copy and no uniqueness check.
///
/// The containers are `@usableFromInline` with `@inlinable` members: without both, every access from another module
/// is a call of unspecialised generic code.
@safe
@usableFromInline
package struct FixedArray<Element: ~Copyable>: ~Copyable {
    @usableFromInline let base: UnsafeMutablePointer<Element>
    @usableFromInline package let capacity: Int
    @usableFromInline package internal(set) var count = 0

    @inlinable
    package init(capacity: Int) {
        precondition(capacity >= 0)
        // SAFETY: owned by this value alone until `deinit`.
        unsafe base = .allocate(capacity: capacity)
        self.capacity = capacity
    }

    @inlinable
    deinit {
        // SAFETY: exactly the first `count` elements are initialised.
        unsafe base.deinitialize(count: count)
        unsafe base.deallocate()
    }

    @inlinable
    package var isEmpty: Bool { count == 0 }
    @inlinable
    package var isFull: Bool { count == capacity }

    @inlinable
    package subscript(index: Int) -> Element {
        @inline(__always)
        unsafeAddress {
            precondition(index >= 0 && index < count)
            // SAFETY: checked above.
            return unsafe UnsafePointer(base + index)
        }
        @inline(__always)
        unsafeMutableAddress {
            precondition(index >= 0 && index < count)
            // SAFETY: checked above.
            return unsafe base + index
        }
    }

    /// Appends an element; there must be room.
    @inlinable
    package mutating func append(_ element: consuming Element) {
        precondition(count < capacity)
        // SAFETY: the slot behind the last element is free, checked above.
        unsafe (base + count).initialize(to: element)
        count &+= 1
    }

    /// Removes and returns the last element, nil when there is none.
    @inlinable
    package mutating func popLast() -> Element? {
        if count == 0 { return nil }
        count &-= 1
        // SAFETY: the element at the old last index was initialised and is moved out exactly once.
        return unsafe (base + count).move()
    }

    @inlinable
    package mutating func removeAll() {
        // SAFETY: exactly the first `count` elements are initialised.
        unsafe base.deinitialize(count: count)
        count = 0
    }
}

extension FixedArray where Element: Copyable {
    /// An array of `count` equal elements, full.
    @inlinable
    package init(repeating element: Element, count: Int) {
        self.init(capacity: count)
        for _ in 0..<count { append(element) }
    }
}
