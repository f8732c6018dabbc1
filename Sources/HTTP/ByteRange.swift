/// A range of a message head's bytes, as offsets from the head's first byte.
@usableFromInline
package struct ByteRange: Equatable, Sendable {
    @usableFromInline package var start: UInt32
    @usableFromInline package var count: UInt32

    @inlinable
    package init(start: Int, count: Int) {
        self.start = UInt32(truncatingIfNeeded: start)
        self.count = UInt32(truncatingIfNeeded: count)
    }

    @inlinable package static var empty: ByteRange { ByteRange(start: 0, count: 0) }

    @inlinable package var isEmpty: Bool { count == 0 }
    @inlinable package var lower: Int { Int(start) }
    @inlinable package var upper: Int { Int(start) + Int(count) }
    @inlinable package var range: Range<Int> { lower..<upper }

    /// The range if it lies inside the first `count` bytes, else an empty one.
    package func range(within count: Int) -> Range<Int> {
        upper <= count ? range : 0..<0
    }
}
