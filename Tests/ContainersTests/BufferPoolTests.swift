import Containers
import Testing

@Suite struct BufferPoolTests {
    @Test func `each size has its capacity and its headroom`() {
        var pool = BufferPool()
        let head = pool.take(.head)
        let message = pool.take(.message)
        let bulk = pool.take(.bulk)
        #expect(head.capacity == BufferPool.headBytes && head.headroom == 0)
        #expect(message.capacity == BufferPool.messageBytes + BufferPool.headroom + BufferPool.tailroom)
        #expect(message.headroom == BufferPool.headroom && message.isEmpty)
        #expect(bulk.capacity == BufferPool.bulkBytes + BufferPool.headroom + BufferPool.tailroom)
        #expect(bulk.headroom == BufferPool.headroom && bulk.isEmpty)
        #expect(pool.outstanding == 3)
        pool.give(head)
        pool.give(message)
        pool.give(bulk)
        #expect(pool.outstanding == 0)
    }

    @Test(arguments: [1, 2_048, 2_049, 16_384, 16_385, 131_072, 131_073, 1_000_000])
    func `a buffer made for a number of bytes holds them`(bytes: Int) {
        var pool = BufferPool()
        let buffer = pool.take(atLeast: bytes)
        #expect(buffer.tailroom >= bytes)
        pool.give(buffer)
        #expect(pool.outstanding == 0)
    }

    @Test func `a buffer that comes back is empty again and is the next one out`() {
        var pool = BufferPool()
        for size in [BufferPool.Size.head, .message, .bulk] {
            var marked = pool.take(size)
            let fresh = marked.headroom
            marked.append(0xEE)
            marked.dropFirst(1)
            marked.append(0xEF)
            pool.give(marked)
            var again = pool.take(size)
            #expect(again.isEmpty && again.headroom == fresh)
            // The same memory: the first byte is still there.
            let written = unsafe again.fill(limit: 1) { _, room in room }
            #expect(written == 1)
            #expect(again[0] == 0xEE)
            pool.give(again)
        }
        #expect(pool.outstanding == 0)
    }

    @Test(arguments: 0..<16) func `buffers in use never share memory`(seed: Int) {
        var random = RandomSource(seed: UInt64(seed))
        var pool = BufferPool()
        var held = FixedArray<Buffer>(capacity: 600)
        for round in 0..<3_000 {
            let filling = (round / 600) % 2 == 0
            if !held.isFull, random.below(10) < (filling ? 8 : 2) {
                var buffer = pool.take(random.below(2) == 0 ? .head : .message)
                let mark = UInt8(truncatingIfNeeded: held.count)
                for _ in 0..<8 { buffer.append(mark) }
                held.append(buffer)
            } else if let buffer = held.popLast() {
                let mark = UInt8(truncatingIfNeeded: held.count)
                if contents(buffer) != Array(repeating: mark, count: 8) {
                    Issue.record("seed \(seed): another buffer's bytes")
                    return
                }
                pool.give(buffer)
            }
            if random.below(100) == 0 { pool.trim() }
            if pool.outstanding != held.count {
                Issue.record("seed \(seed): \(pool.outstanding) counted, \(held.count) held")
                return
            }
        }
    }

    @Test func `more free buffers than the pool keeps are freed and not lost count of`() {
        var pool = BufferPool()
        var held = FixedArray<Buffer>(capacity: 100)
        while !held.isFull { held.append(pool.take(.bulk)) }
        #expect(pool.outstanding == 100)
        while let buffer = held.popLast() { pool.give(buffer) }
        #expect(pool.outstanding == 0)
        for _ in 0..<10 { pool.trim() }
        let buffer = pool.take(.bulk)
        #expect(buffer.count == 0)
        pool.give(buffer)
    }
}
