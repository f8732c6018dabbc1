import Containers
import EventLoop
import HTTP2
import Linux
import Net
import Testing

@testable import Proxy

@Suite struct StreamCongestionTests {
    /// A frame with content of numbers.
    private func frame(_ type: UInt8, _ payload: [UInt8]) -> [UInt8] {
        [0, 0, UInt8(payload.count), type, 0, 0, 0, 0, 0] + payload
    }

    private func buffer(_ bytes: [UInt8]) -> Buffer {
        var buffer = Buffer(capacity: bytes.count + 16, headroom: 16)
        buffer.append(bytes)
        return buffer
    }

    @Test func `A connection whose peer does not read takes few of the buffers that all connections share`() throws {
        Process.ignoreFailedWrites()
        let listener = try Socket.listen(on: .ip(.v4(0x7F00_0001), port: 0), backlog: 1)
        let address = try Socket.localAddress(listener.number)
        var driver = StreamDriver<EpollDriver>(
            try EpollDriver.make(connections: 16, wake: try Wakeup()), connectionsLimit: 4, streamsLimit: 64)
        let socket = try driver.connect(to: address)
        _ = Poll.wait([listener.number], milliseconds: 5_000)
        var client = address
        let peer = try Socket.accept(listener.number, peer: &client)

        let made = driver.multiplex(
            socket, owner: .none, isServer: false, settings: LocalSettings(), limits: FloodLimits(),
            fieldLimits: FieldLimits())
        let connection = try #require(made)
        // Windows without end: what holds the content up is the socket.
        let settings = frame(4, [0, 4, 0x7F, 0xFF, 0xFF, 0xFF]) + frame(8, [0x7F, 0, 0, 0])
        _ = Socket.send(peer.number, buffer(settings))
        for _ in 0..<100 where !driver.hasPeerSettings(connection) {
            driver.wait(until: Clock.monotonic.advanced(by: 50_000_000))
            while let event = driver.next() {
                if case .data(_, let bytes) = consume event { driver.receive(connection, bytes) }
            }
            while driver.nextStreamEvent() != nil {}
            driver.flushStreams()
        }

        let opened = driver.openStream(connection)
        let stream = try #require(opened)
        let head = buffer(Array("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n".utf8))
        let isBegun = driver.beginRequest(stream, head, isSecure: false, isEnd: false)
        #expect(isBegun)
        // Each is more than what is copied into one buffer with others.
        var most = 0
        for _ in 0..<10_000 where driver.queuedBytes(stream) == 0 {
            driver.send(stream, buffer([UInt8](repeating: 0, count: 5_000)), more: false)
            driver.flushStreams()
            most = max(most, driver.base.queuedBuffers(socket))
        }
        let (waiting, queued) = (driver.queuedBytes(stream), driver.base.queuedBytes(socket))
        #expect(waiting > 0, "the kernel took everything")
        #expect(queued > 0)
        #expect((1...4).contains(most), "\(most) buffers")
    }
}
