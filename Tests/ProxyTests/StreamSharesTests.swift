import Containers
import EventLoop
import HTTP2
import Linux
import Net
import Testing

@testable import Proxy

@Suite struct StreamSharesTests {
    private static let greedy = SlabKey(index: 1, generation: 1)
    private static let modest = SlabKey(index: 2, generation: 1)

    private func buffer(_ bytes: [UInt8]) -> Buffer {
        var buffer = Buffer(capacity: bytes.count + 16, headroom: 16)
        buffer.append(bytes)
        return buffer
    }

    /// A client's first bytes with so many requests.
    private func beginning(requests: Int) -> [UInt8] {
        let block: [UInt8] = [0x82, 0x84, 0x86, 0x01, 6] + Array("a.test".utf8)
        let frames = (0..<requests).map { [0, 0, UInt8(block.count), 1, 5, 0, 0, 0, UInt8(2 * $0 + 1)] + block }
        return Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0] + frames.joined()
    }

    /// Whose requests a turn brings.
    private func owners(_ driver: inout StreamDriver<EpollDriver>) -> [SlabKey] {
        var owners: [SlabKey] = []
        while let event = driver.nextStreamEvent() {
            if case .request(_, let owner, _) = event { owners.append(owner) }
        }
        return owners
    }

    @Test func `Who asks a hundred things at once does not keep others waiting until all are read`() throws {
        let listener = try Socket.listen(on: .ip(.v4(0x7F00_0001), port: 0), backlog: 4)
        let address = try Socket.localAddress(listener.number)
        var driver = StreamDriver<EpollDriver>(
            try EpollDriver.make(connections: 16, wake: try Wakeup()), connectionsLimit: 4, streamsLimit: 256)
        for (owner, requests) in [(Self.greedy, 100), (Self.modest, 1)] {
            let made = driver.multiplex(
                try driver.connect(to: address), owner: owner, isServer: true, settings: LocalSettings(),
                limits: FloodLimits(), fieldLimits: FieldLimits())
            driver.receive(try #require(made), buffer(beginning(requests: requests)))
        }

        let first = owners(&driver)
        #expect(first.prefix(3).contains(Self.modest), "\(first.count) requests, and not that of the second connection")
        #expect((1...32).contains(first.count - 1))
        let hadRest = driver.hasResting
        #expect(hadRest)
        driver.flushStreams()
        var count = first.count
        for _ in 0..<20 where driver.hasResting {
            driver.endRest()
            count += owners(&driver).count
        }
        #expect(count == 101)
    }
}
