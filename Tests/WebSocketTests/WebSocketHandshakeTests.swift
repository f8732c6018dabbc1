import Testing
import WebSocket

@Suite struct WebSocketHandshakeTests {
    @Test(arguments: [
        // RFC 6455 section 1.3; the second was computed with another implementation.
        ("dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("x3JJHMbDL1EzLkh9GBhXDw==", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="),
    ])
    func `The accept value proves the key`(key: String, accept: String) {
        let value = WebSocketHandshake.accept(for: Array(key.utf8).span)
        #expect((0..<28).map { value[$0] } == Array(accept.utf8))
        #expect(holds(WebSocketHandshake.isAccepted(Array(accept.utf8).span, for: Array(key.utf8).span)))
        #expect(holds(!WebSocketHandshake.isAccepted(Array(accept.lowercased().utf8).span, for: Array(key.utf8).span)))
        #expect(holds(!WebSocketHandshake.isAccepted(Array((accept + "=").utf8).span, for: Array(key.utf8).span)))
        #expect(holds(!WebSocketHandshake.isAccepted(Span(), for: Array(key.utf8).span)))
    }
}
