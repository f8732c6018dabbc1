import EventLoop
import Testing

/// The relay of the epoll driver, over loopback: with pipes, with one, and with none, where it copies.
@Suite struct RelayTests {
    /// Bytes that repeat only after a length that no buffer has.
    private static func pattern(_ count: Int) -> [UInt8] {
        let block = (0..<65_521).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ ($0 >> 8) &* 7) }
        var bytes: [UInt8] = []
        while bytes.count < count { bytes += block.prefix(count - bytes.count) }
        return bytes
    }

    @Test(arguments: [64, 1, 0], [false, true])
    func `a relay moves exactly its count and what stands behind comes as data`(pipes: Int, isUnix: Bool) throws {
        let scene = try DriverScene(pipes: pipes, isUnix: isUnix)
        let (source, destination) = (try scene.connect(), try scene.connect())
        let content = Self.pattern(3_000_000)
        let all = content + Array("behind".utf8)
        #expect(scene.relay(source, destination, content.count))
        let isThrough = scene.run {
            source.write(all)
            destination.read()
            return destination.received.count >= content.count && scene.data[source.socket]?.count == 6
        }
        #expect(isThrough && destination.received == content)
        #expect(scene.relayed[source.socket] == content.count)
        #expect(scene.data[source.socket] == Array("behind".utf8))
        #expect(scene.queuedBytes(destination.socket) == 0)
    }

    @Test(arguments: [64, 0])
    func `a source is quiet as soon as its relay is through`(pipes: Int) throws {
        let scene = try DriverScene(pipes: pipes)
        let (source, destination) = (try scene.connect(), try scene.connect())
        #expect(scene.relay(source, destination, 1_000))
        source.write(Self.pattern(1_000))
        #expect(scene.run { scene.relayed[source.socket] == 1_000 })
        // A pool asks in the same turn, before the driver visits the socket again.
        #expect(scene.isQuiet(source.socket) && scene.followed.isEmpty)
        source.write(Self.pattern(1_001))
        #expect(scene.run { scene.data[source.socket]?.count == 1 })
    }

    @Test func `what comes behind a relay is received like what comes first`() throws {
        let scene = try DriverScene(pipes: 64)
        let (source, destination) = (try scene.connect(), try scene.connect())
        let content = Self.pattern(100_000)
        // A full receive: the driver expects more of the kind.
        source.write(Array(content[..<16_384]))
        #expect(scene.run { scene.data[source.socket]?.count == 16_384 })
        #expect(scene.relay(source, destination, 1_000))
        source.write(Array(content[..<17_384]))
        #expect(scene.run { scene.relayed[source.socket] == 1_000 })
        source.write(content)
        #expect(scene.run { scene.data[source.socket]?.count == 99_000 })
        #expect(scene.pieces.prefix(2) == [16_384, 16_384])
    }

    @Test(arguments: [64, 1, 0])
    func `what a destination does not take is queued, sent first and drained`(pipes: Int) throws {
        let scene = try DriverScene(pipes: pipes)
        let (source, destination) = (try scene.connect(), try scene.connect())
        let content = Self.pattern(10_000_000)
        #expect(scene.relay(source, destination, content.count))
        let isBlocked = scene.run {
            source.write(content)
            return scene.queuedBytes(destination.socket) > 0
        }
        #expect(isBlocked && scene.loadedPipes == min(pipes, 1))
        // Nothing more is moved while the source is paused.
        let before = scene.relayed[source.socket]
        for _ in 0..<3 { scene.turn() }
        #expect(scene.relayed[source.socket] == before)
        let isThrough = scene.run {
            source.write(content)
            destination.read()
            return scene.relayed[source.socket] == content.count
        }
        #expect(isThrough)
        scene.send(destination.socket, Array("tail".utf8))
        scene.shutdownWrite(destination.socket)
        #expect(scene.run { !destination.read() })
        #expect(destination.received == content + Array("tail".utf8))
        #expect(scene.drained.contains(destination.socket))
        #expect(scene.queuedBytes(destination.socket) == 0 && scene.loadedPipes == 0)
    }

    @Test(arguments: [64, 0])
    func `a source that ends too early is told after what it sent`(pipes: Int) throws {
        let scene = try DriverScene(pipes: pipes)
        let (source, destination) = (try scene.connect(), try scene.connect())
        let content = Self.pattern(100_000)
        #expect(scene.relay(source, destination, 200_000))
        source.write(content)
        source.end()
        let isOver = scene.run {
            destination.read()
            return scene.ended.contains(source.socket) && destination.received.count == content.count
        }
        #expect(isOver && destination.received == content && scene.relayed[source.socket] == source.sent)
    }

    @Test(arguments: [64, 0])
    func `a source that is reset fails`(pipes: Int) throws {
        let scene = try DriverScene(pipes: pipes)
        let (source, destination) = (try scene.connect(), try scene.connect())
        #expect(scene.relay(source, destination, 200_000))
        source.write(Self.pattern(1_000))
        #expect(scene.run { scene.relayed[source.socket] == 1_000 })
        source.abort()
        #expect(scene.run { scene.failed.contains(source.socket) })
    }

    @Test(arguments: [64, 0])
    func `a destination that is reset fails, and once it is closed the source's bytes are data`(pipes: Int) throws {
        let scene = try DriverScene(pipes: pipes)
        let (source, destination) = (try scene.connect(), try scene.connect())
        let content = Self.pattern(10_000_000)
        #expect(scene.relay(source, destination, content.count))
        let isBlocked = scene.run {
            source.write(content)
            return scene.queuedBytes(destination.socket) > 0
        }
        #expect(isBlocked)
        destination.abort()
        #expect(scene.run { scene.failed.contains(destination.socket) })
        scene.close(destination.socket)
        #expect(scene.loadedPipes == 0)
        scene.resume(source.socket)
        let isOver = scene.run {
            source.write(content)
            let count = (scene.data[source.socket]?.count ?? 0) + (scene.relayed[source.socket] ?? 0)
            return count == content.count
        }
        let data = scene.data[source.socket] ?? []
        #expect(isOver && !data.isEmpty && data == Array(content.suffix(data.count)))
    }

    @Test(arguments: [64, 1, 0])
    func `relays at the same time keep to their own bytes, whether there are enough pipes or not`(pipes: Int) throws {
        let scene = try DriverScene(pipes: pipes)
        let (firstSource, first) = (try scene.connect(), try scene.connect())
        let (secondSource, second) = (try scene.connect(), try scene.connect())
        let content = Self.pattern(10_000_000)
        let other = Array(content[1...])
        #expect(scene.relay(firstSource, first, content.count))
        #expect(scene.relay(secondSource, second, other.count))
        // Both destinations hold bytes: with one pipe the other relay has to copy.
        let areBlocked = scene.run {
            firstSource.write(content)
            secondSource.write(other)
            return scene.queuedBytes(first.socket) > 0 && scene.queuedBytes(second.socket) > 0
        }
        #expect(areBlocked && scene.loadedPipes == min(pipes, 2))
        let isThrough = scene.run {
            firstSource.write(content)
            secondSource.write(other)
            first.read()
            second.read()
            return first.received.count == content.count && second.received.count == other.count
        }
        #expect(isThrough && first.received == content && second.received == other)
    }

    @Test(arguments: [64, 0], [true, false])
    func `what stands behind a relay is told with its last byte`(pipes: Int, isEnd: Bool) throws {
        let scene = try DriverScene(pipes: pipes)
        let (source, destination) = (try scene.connect(), try scene.connect())
        source.write(Self.pattern(isEnd ? 1_000 : 1_001))
        if isEnd { source.end() }
        #expect(scene.relay(source, destination, 1_000))
        #expect(scene.run { scene.relayed[source.socket] == 1_000 })
        #expect(scene.followed == [source.socket] && !scene.isQuiet(source.socket))
        #expect(scene.run { isEnd ? scene.ended.contains(source.socket) : scene.data[source.socket]?.count == 1 })
    }

    @Test func `a fast relay lets others have their turn`() throws {
        let scene = try DriverScene(pipes: 64)
        let (source, destination, other) = (try scene.connect(), try scene.connect(), try scene.connect())
        let content = Self.pattern(4_000_000)
        // As much as the kernel keeps waits before the driver looks.
        var before = -1
        while source.sent > before {
            before = source.sent
            source.write(content)
        }
        other.write([1, 2, 3])
        #expect(scene.relay(source, destination, source.sent, pausing: false))
        #expect(scene.run { scene.data[other.socket] == [1, 2, 3] })
        #expect((scene.relayed[source.socket] ?? 0) < source.sent)
    }

    @Test func `a relay to nowhere, to itself or of nothing is refused`() throws {
        let scene = try DriverScene(pipes: 64)
        let (source, destination) = (try scene.connect(), try scene.connect())
        #expect(!scene.relay(source, source, 1))
        #expect(!scene.relay(source, destination, 0))
        scene.close(destination.socket)
        #expect(!scene.relay(source, destination, 1))
    }
}
