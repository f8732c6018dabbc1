/// A range of a message head's bytes, as offsets from the head's first byte.
package struct ByteRange: Equatable, Sendable {
    package var start: UInt32
    package var count: UInt32

    package init(start: Int, count: Int) {
        self.start = UInt32(truncatingIfNeeded: start)
        self.count = UInt32(truncatingIfNeeded: count)
    }

    package static let empty = ByteRange(start: 0, count: 0)

    package var isEmpty: Bool { count == 0 }
    package var lower: Int { Int(start) }
    package var upper: Int { Int(start) + Int(count) }
    package var range: Range<Int> { lower..<upper }
}
