import Containers
import Testing
import WebSocket

@Suite struct WebSocketFrameTests {
    private static func bytes(_ buffer: borrowing Buffer) -> [UInt8] { (0..<buffer.count).map { buffer[$0] } }

    @Test func `Frames to clients are not masked`() {
        var buffer = Buffer(capacity: 20)
        #expect(holds(WebSocketFrame.appendClose(1_001, mask: nil, to: &buffer)))
        #expect(Self.bytes(buffer) == [0x88, 2, 0x03, 0xE9])
        buffer.clear()
        #expect(holds(WebSocketFrame.appendPing(payload: Span(), mask: nil, to: &buffer)))
        #expect(holds(WebSocketFrame.appendPong(payload: [7, 8].span, mask: nil, to: &buffer)))
        #expect(Self.bytes(buffer) == [0x89, 0, 0x8A, 2, 7, 8])
    }

    @Test func `Frames to upstreams are masked and mean the same`() {
        var buffer = Buffer(capacity: 64)
        #expect(holds(WebSocketFrame.appendPing(payload: [1, 2, 3, 4, 5].span, mask: 0x0A0B_0C0D, to: &buffer)))
        #expect(holds(WebSocketFrame.appendClose(1_012, mask: 0xDEAD_BEEF, to: &buffer)))
        let bytes = Self.bytes(buffer)
        #expect(bytes.prefix(11) == [0x89, 0x85, 0x0A, 0x0B, 0x0C, 0x0D, 0x0B, 0x09, 0x0F, 0x09, 0x0F])
        let facts = WebSocketFrameScannerTests.facts([bytes], WebSocketFrameScanner(direction: .fromClient))
        #expect(facts.scan.pings == 1 && facts.closeCode == 1_012)
    }

    @Test func `What does not fit leaves the buffer as it was`() {
        var buffer = Buffer(capacity: 7)
        #expect(holds(!WebSocketFrame.appendClose(1_000, mask: 1, to: &buffer)))
        #expect(holds(buffer.isEmpty))
        let long = [UInt8](repeating: 0, count: 126)
        var large = Buffer(capacity: 200)
        #expect(holds(!WebSocketFrame.appendPing(payload: long.span, mask: nil, to: &large) && large.isEmpty))
    }
}
