import Containers
import Testing

/// A buffer the obvious way: the readable bytes and the room around them.
private struct BufferModel {
    var bytes: [UInt8] = []
    var headroom: Int
    let capacity: Int

    var tailroom: Int { capacity - headroom - bytes.count }
}

@Suite struct BufferTests {
    @Test(arguments: 0..<64) func `random use agrees with an array`(seed: Int) {
        var random = RandomSource(seed: UInt64(seed))
        let capacity = 1 + random.below(200)
        let headroom = random.below(capacity + 1)
        var buffer = Buffer(capacity: capacity, headroom: headroom)
        var model = BufferModel(headroom: headroom, capacity: capacity)
        for _ in 0..<1_000 {
            step(&buffer, &model, &random)
            let same =
                buffer.headroom == model.headroom && buffer.tailroom == model.tailroom
                && contents(buffer) == model.bytes && buffer.isEmpty == model.bytes.isEmpty
                && buffer.start + buffer.count == buffer.end && buffer.capacity == capacity
            guard same else {
                Issue.record("seed \(seed): buffer and array differ")
                return
            }
        }
    }

    private func step(_ buffer: inout Buffer, _ model: inout BufferModel, _ random: inout RandomSource) {
        let count = model.bytes.count
        switch random.below(12) {
        case 0:
            let headroom = random.below(model.capacity + 1)
            buffer.clear(headroom: headroom)
            model = BufferModel(headroom: headroom, capacity: model.capacity)
        case 1:
            let dropped = random.below(count + 1)
            buffer.dropFirst(dropped)
            model.bytes.removeFirst(dropped)
            model.headroom += dropped
        case 2:
            let kept = random.below(count + 1)
            buffer.keepFirst(kept)
            model.bytes = Array(model.bytes.prefix(kept))
        case 3 where model.tailroom > 0:
            let byte = UInt8(truncatingIfNeeded: random.next())
            buffer.append(byte)
            model.bytes.append(byte)
        case 4:
            let bytes = randomBytes(random.below(model.tailroom + 1), &random)
            if random.below(2) == 0 { buffer.append(bytes) } else { buffer.append(bytes.span) }
            model.bytes += bytes
        case 5:
            let bytes = randomBytes(random.below(model.headroom + 1), &random)
            buffer.prepend(bytes.span)
            model.bytes = bytes + model.bytes
            model.headroom -= bytes.count
        case 6:
            let headroom = random.below(model.capacity - count + 1)
            buffer.slide(headroom: headroom)
            model.headroom = headroom
        case 7 where count > 0:
            let from = random.below(count + 1)
            let to = random.below(from + 1)
            let moved = random.below(count - from + 1)
            buffer.moveBytes(from: from, to: to, count: moved)
            model.bytes.replaceSubrange(to..<(to + moved), with: Array(model.bytes[from..<(from + moved)]))
        case 8 where count > 0:
            let offset = random.below(count)
            buffer[offset] = 0xA5
            model.bytes[offset] = 0xA5
        case 9 where count > 0:
            var span = buffer.mutableSpan
            span[count - 1] = 7
            model.bytes[count - 1] = 7
        case 10 where model.tailroom >= 20:
            let number = Int(truncatingIfNeeded: random.next()) >> random.below(64)
            buffer.append(decimal: number)
            model.bytes += Array(String(number).utf8)
        case 11 where model.tailroom >= 16:
            let number = Int(truncatingIfNeeded: random.next() >> 1) >> random.below(63)
            buffer.append(hexadecimal: number)
            model.bytes += Array(String(number, radix: 16).utf8)
        default:
            break
        }
    }

    @Test(arguments: [
        0, 1, 9, 10, 99, 100, 999, 9_999, 10_000, 65_535, 99_999_999, 1_000_000_007, -1, -10, .max, .min,
    ])
    func `numbers are written as Swift writes them`(number: Int) {
        var buffer = Buffer(capacity: 20)
        buffer.append(decimal: number)
        #expect(contents(buffer) == Array(String(number).utf8))
        guard number >= 0 else { return }
        buffer.clear()
        buffer.append(hexadecimal: number)
        #expect(contents(buffer) == Array(String(number, radix: 16).utf8))
    }

    @Test func `a literal is appended byte for byte`() {
        var buffer = Buffer(capacity: 17)
        buffer.append("HTTP/1.1 200 OK\r\n")
        #expect(contents(buffer) == Array("HTTP/1.1 200 OK\r\n".utf8))
        #expect(buffer.tailroom == 0)
    }

    @Test func `a system call sees the tailroom and no more than the limit`() {
        var buffer = Buffer(capacity: 10, headroom: 3)
        let written = unsafe buffer.fill(limit: 4) { pointer, room in
            #expect(room == 4)
            unsafe pointer.storeBytes(of: 0x41, as: UInt8.self)
            return 1
        }
        #expect(written == 1)
        let all = unsafe buffer.fill { _, room in room }
        #expect(all == 6)
        #expect(buffer.tailroom == 0 && buffer.count == 7)
        let (first, count) = unsafe buffer.withReadable { pointer, count in
            unsafe (pointer.load(as: UInt8.self), count)
        }
        #expect(first == 0x41 && count == 7)
    }

    @Test func `an error from a system call leaves the buffer as it was`() {
        struct Refused: Error {}
        var buffer = Buffer(capacity: 10)
        buffer.append(1)
        do throws(Refused) {
            _ = unsafe try buffer.fill { (_, _) throws(Refused) -> Int in throw Refused() }
            Issue.record("the error was lost")
        } catch {
            #expect(buffer.count == 1)
        }
    }
}

func contents(_ buffer: borrowing Buffer) -> [UInt8] {
    let span = buffer.span
    return span.indices.map { span[$0] }
}

func randomBytes(_ count: Int, _ random: inout RandomSource) -> [UInt8] {
    (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
}
