/// A stream that carries a WebSocket connection (RFC 8441).
final class HTTP2Wire: TunnelWire {
    private let end: HTTP2End
    private let stream: UInt32

    init(_ end: HTTP2End, _ stream: UInt32) {
        self.end = end
        self.stream = stream
    }

    func write(_ bytes: [UInt8]) { end.send(stream, bytes) }

    func close() { end.finish(stream) }

    func reset() { end.reset(stream, .cancel) }
}
