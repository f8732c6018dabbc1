import Containers

/// Finds a number of the caller's, at least 0, by a stream's number: open addressing, at most half full.
package struct StreamIndex: ~Copyable {
    /// 0: free. Streams of both sides have odd numbers.
    private var streams = FixedArray<UInt32>(capacity: 0)
    private var values = FixedArray<Int32>(capacity: 0)
    package private(set) var count = 0

    package init() {}

    @inline(__always)
    private func home(_ stream: UInt32) -> Int { Int(stream >> 1) & (streams.count &- 1) }

    package func find(_ stream: UInt32) -> Int? {
        guard count > 0 else { return nil }
        var at = home(stream)
        while streams[at] != 0 {
            if streams[at] == stream { return Int(values[at]) }
            at = (at &+ 1) & (streams.count &- 1)
        }
        return nil
    }

    /// Puts in a stream that is not there.
    package mutating func insert(_ stream: UInt32, _ value: Int) {
        if (count &+ 1) &* 2 > streams.count { grow() }
        enter(stream, Int32(truncatingIfNeeded: value))
        count &+= 1
    }

    private mutating func enter(_ stream: UInt32, _ value: Int32) {
        var at = home(stream)
        while streams[at] != 0 { at = (at &+ 1) & (streams.count &- 1) }
        streams[at] = stream
        values[at] = value
    }

    @inline(never)
    private mutating func grow() {
        let size = max(16, streams.count * 2)
        var oldStreams = FixedArray<UInt32>(repeating: 0, count: size)
        var oldValues = FixedArray<Int32>(repeating: 0, count: size)
        swap(&oldStreams, &streams)
        swap(&oldValues, &values)
        for at in 0..<oldStreams.count where oldStreams[at] != 0 { enter(oldStreams[at], oldValues[at]) }
    }

    package mutating func remove(_ stream: UInt32) {
        guard count > 0 else { return }
        let mask = streams.count &- 1
        var at = home(stream)
        while streams[at] != stream {
            if streams[at] == 0 { return }
            at = (at &+ 1) & mask
        }
        streams[at] = 0
        count &-= 1
        // What was put behind it for want of this place moves up.
        var next = (at &+ 1) & mask
        while streams[next] != 0 {
            if (next &- home(streams[next])) & mask >= (next &- at) & mask {
                streams[at] = streams[next]
                values[at] = values[next]
                streams[next] = 0
                at = next
            }
            next = (next &+ 1) & mask
        }
    }
}
