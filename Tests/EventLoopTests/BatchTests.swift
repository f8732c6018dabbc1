import EventLoop
import Testing

@Suite struct BatchTests {
    @Test func `what is sent in a turn goes out with the next wait`() throws {
        let scene = try DriverScene(pipes: 0)
        let (first, second) = (try scene.connect(), try scene.connect())
        scene.sendInTurn(first.socket, Array("one".utf8))
        scene.sendInTurn(second.socket, Array("two".utf8))
        first.read()
        second.read()
        #expect(first.received.isEmpty && second.received.isEmpty)
        scene.turn()
        first.read()
        second.read()
        #expect(first.received == Array("one".utf8))
        #expect(second.received == Array("two".utf8))
        #expect(scene.outstandingBuffers == 0)
    }

    @Test func `a batch of many connections is sent when it is full, and whole`() throws {
        let scene = try DriverScene(pipes: 0, connections: 100)
        let peers = try (0..<100).map { _ in try scene.connect() }
        for (index, peer) in peers.enumerated() { scene.sendInTurn(peer.socket, [UInt8(index)]) }
        scene.turn()
        for (index, peer) in peers.enumerated() {
            peer.read()
            #expect(peer.received == [UInt8(index)])
        }
        #expect(scene.outstandingBuffers == 0)
    }

    @Test func `the order on a connection stays, whichever way its bytes are sent`() throws {
        let scene = try DriverScene(pipes: 0)
        let peer = try scene.connect()
        scene.sendInTurn(peer.socket, Array("a".utf8))
        scene.sendInTurn(peer.socket, Array("b".utf8))
        scene.send(peer.socket, Array("c".utf8))
        scene.sendInTurn(peer.socket, Array("d".utf8))
        scene.turn()
        peer.read()
        #expect(peer.received == Array("abcd".utf8))
    }

    @Test(arguments: [false, true])
    func `what was sent before an end arrives before it`(closes: Bool) throws {
        let scene = try DriverScene(pipes: 0)
        let peer = try scene.connect()
        scene.sendInTurn(peer.socket, Array("last words".utf8))
        if closes { scene.close(peer.socket) } else { scene.shutdownWrite(peer.socket) }
        #expect(!peer.read())
        #expect(peer.received == Array("last words".utf8))
        #expect(scene.outstandingBuffers == 0)
    }

    @Test func `what the kernel does not take is queued, sent later and told as drained`() throws {
        let scene = try DriverScene(pipes: 0)
        let peer = try scene.connect()
        let chunk = [UInt8](repeating: 7, count: 1 << 16)
        var sent = 0
        while scene.queuedBytes(peer.socket) == 0, sent < 1 << 26 {
            scene.sendInTurn(peer.socket, chunk)
            sent += chunk.count
            scene.turn()
        }
        #expect(scene.queuedBytes(peer.socket) > 0)
        // Behind queued bytes there is nothing to wait for: it is queued at once.
        let before = scene.queuedBytes(peer.socket)
        scene.sendInTurn(peer.socket, chunk)
        #expect(scene.queuedBytes(peer.socket) == before + chunk.count)
        sent += chunk.count
        let isDrained = scene.run {
            peer.read()
            return scene.drained.contains(peer.socket)
        }
        #expect(isDrained && scene.queuedBytes(peer.socket) == 0)
        _ = scene.run {
            peer.read()
            return peer.received.count == sent
        }
        #expect(peer.received.count == sent)
        #expect(scene.outstandingBuffers == 0)
    }

    @Test func `a connection that broke under a batch is told as failed`() throws {
        let scene = try DriverScene(pipes: 0)
        let peer = try scene.connect()
        peer.abort()
        scene.sendInTurn(peer.socket, Array("into the void".utf8))
        #expect(scene.run { scene.failed.contains(peer.socket) || scene.ended.contains(peer.socket) })
        scene.close(peer.socket)
        #expect(scene.outstandingBuffers == 0)
    }
}
