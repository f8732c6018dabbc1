import Containers

/// The streams that are not closed, found by their number: places that grow when they are needed, and an index over them with
/// open addressing, at most half full.
struct StreamTable: ~Copyable {
    /// By their places; a free one has the number 0.
    var slots = FixedArray<Stream>(capacity: 0)
    /// The place of a stream plus one; 0: none.
    private var index = FixedArray<UInt16>(capacity: 0)
    private var free = FixedArray<UInt16>(capacity: 0)
    private(set) var count = 0

    /// Streams that any table may have.
    static let most = 8_192

    @inline(__always)
    private func home(_ id: UInt32) -> Int { Int(id >> 1) & (index.count &- 1) }

    @inline(__always)
    func find(_ id: UInt32) -> Int? {
        guard count > 0 else { return nil }
        var at = home(id)
        while index[at] != 0 {
            let place = Int(index[at] &- 1)
            if slots[place].id == id { return place }
            at = (at &+ 1) & (index.count &- 1)
        }
        return nil
    }

    /// Puts a stream in; nil when there are as many as any table may have.
    @inline(__always)
    mutating func open(_ stream: Stream) -> Int? {
        if free.isEmpty && !grow() { return nil }
        guard let place = free.popLast() else { return nil }
        slots[Int(place)] = stream
        enter(Int(place))
        count &+= 1
        return Int(place)
    }

    @inline(__always)
    private mutating func enter(_ place: Int) {
        var at = home(slots[place].id)
        while index[at] != 0 { at = (at &+ 1) & (index.count &- 1) }
        index[at] = UInt16(truncatingIfNeeded: place &+ 1)
    }

    @inline(never)
    private mutating func grow() -> Bool {
        let size = max(8, slots.count * 2)
        guard size <= Self.most else { return false }
        var larger = FixedArray<Stream>(capacity: size)
        for place in 0..<slots.count { larger.append(slots[place]) }
        free = FixedArray(capacity: size)
        for place in stride(from: size - 1, through: slots.count, by: -1) { free.append(UInt16(place)) }
        let used = slots.count
        while larger.count < size { larger.append(Stream(id: 0, sendWindow: 0, receiveWindow: 0)) }
        slots = larger
        index = FixedArray(repeating: 0, count: size * 2)
        for place in 0..<used { enter(place) }
        return true
    }

    mutating func close(_ place: Int) {
        let mask = index.count &- 1
        var at = home(slots[place].id)
        while index[at] != UInt16(truncatingIfNeeded: place &+ 1) { at = (at &+ 1) & mask }
        index[at] = 0
        // What was put behind it for want of this place moves up.
        var next = (at &+ 1) & mask
        while index[next] != 0 {
            let wanted = home(slots[Int(index[next] &- 1)].id)
            if (next &- wanted) & mask >= (next &- at) & mask {
                index[at] = index[next]
                index[next] = 0
                at = next
            }
            next = (next &+ 1) & mask
        }
        slots[place] = Stream(id: 0, sendWindow: 0, receiveWindow: 0)
        free.append(UInt16(truncatingIfNeeded: place))
        count &-= 1
    }
}
