import Digest

/// The demo's end of a WebSocket (RFC 6455): every message comes back as it came, frame by frame.
enum DemoWebSocket {
    private static let messageLimit = 16 << 20
    private static let guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

    private enum Opcode: UInt8 {
        case continuation = 0
        case text = 1
        case binary = 2
        case close = 8
        case ping = 9
        case pong = 10
    }

    private struct Frame {
        var isFinal: Bool
        var opcode: Opcode
        var payload: [UInt8]
    }

    /// Shakes hands and echoes until the peer closes.
    static func serve(_ stream: inout DemoStream, key: String) throws(DemoStream.Failure) {
        try stream.send(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Accept: \(accept(key))\r\n\r\n")
        do {
            while let frame = try next(&stream) {
                switch frame.opcode {
                case .text, .binary, .continuation: try send(frame, &stream)
                case .ping: try send(Frame(isFinal: true, opcode: .pong, payload: frame.payload), &stream)
                case .pong: break
                case .close:
                    try send(frame, &stream)
                    return
                }
            }
        } catch .malformed {
            // 1002: protocol error.
            try send(Frame(isFinal: true, opcode: .close, payload: [0x03, 0xEA]), &stream)
        }
    }

    static func accept(_ key: String) -> String {
        let digest = SHA1.digest(Array((key + guid).utf8).span)
        var bytes: [UInt8] = []
        for index in 0..<20 { bytes.append(digest[index]) }
        return String(decoding: Base64.encode(bytes.span), as: UTF8.self)
    }

    /// nil when the peer is gone without a close frame.
    private static func next(_ stream: inout DemoStream) throws(DemoStream.Failure) -> Frame? {
        let first: UInt8
        do {
            first = try stream.byte()
        } catch .gone {
            return nil
        }
        let second = try stream.byte()
        // No extension was agreed on, and a client's frames are masked.
        guard first & 0x70 == 0, second & 0x80 != 0, let opcode = Opcode(rawValue: first & 0x0F) else {
            throw .malformed
        }
        var length = Int(second & 0x7F)
        if opcode.rawValue >= 8, length > 125 || first & 0x80 == 0 { throw .malformed }
        let extra = length == 126 ? 2 : length == 127 ? 8 : 0
        if extra > 0 {
            var value: UInt64 = 0
            for _ in 0..<extra { value = value << 8 | UInt64(try stream.byte()) }
            guard value <= UInt64(messageLimit) else { throw .malformed }
            length = Int(value)
        }
        var mask: [UInt8] = []
        for _ in 0..<4 { mask.append(try stream.byte()) }
        var payload: [UInt8] = []
        try stream.take(length, keep: length, into: &payload)
        for index in payload.indices { payload[index] ^= mask[index & 3] }
        return Frame(isFinal: first & 0x80 != 0, opcode: opcode, payload: payload)
    }

    private static func send(_ frame: Frame, _ stream: inout DemoStream) throws(DemoStream.Failure) {
        var bytes = [(frame.isFinal ? 0x80 : 0) | frame.opcode.rawValue]
        let count = frame.payload.count
        let (marker, extra) = count < 126 ? (UInt8(count), 0) : count < 65_536 ? (126, 2) : (127, 8)
        bytes.append(marker)
        for shift in (0..<extra).reversed() { bytes.append(UInt8(truncatingIfNeeded: count >> (shift * 8))) }
        try stream.send(bytes + frame.payload)
    }
}
