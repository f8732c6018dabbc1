package import Containers

/// Control frames of our own (RFC 6455 section 5.5), to be put between two relayed frames.
package enum WebSocketFrame {
    /// Tailroom that a frame without a payload of the caller needs.
    package static let closeByteCount = 8
    /// Bytes of a payload that a control frame may have.
    package static let payloadLimit = 125

    /// Appends a close frame. `mask` is a random key towards an upstream, nil towards a client.
    /// False, and nothing appended, when there is too little tailroom.
    package static func appendClose(_ code: UInt16, mask: UInt32?, to buffer: inout Buffer) -> Bool {
        var payload = InlineArray<2, UInt8>(repeating: 0)
        payload[0] = UInt8(truncatingIfNeeded: code >> 8)
        payload[1] = UInt8(truncatingIfNeeded: code)
        return append(opcode: 8, payload: payload.span, mask: mask, to: &buffer)
    }

    /// Appends a ping with up to 125 bytes of payload.
    package static func appendPing(payload: Span<UInt8>, mask: UInt32?, to buffer: inout Buffer) -> Bool {
        append(opcode: 9, payload: payload, mask: mask, to: &buffer)
    }

    /// Appends a pong with up to 125 bytes of payload.
    package static func appendPong(payload: Span<UInt8>, mask: UInt32?, to buffer: inout Buffer) -> Bool {
        append(opcode: 10, payload: payload, mask: mask, to: &buffer)
    }

    private static func append(opcode: UInt8, payload: Span<UInt8>, mask: UInt32?, to buffer: inout Buffer) -> Bool {
        let count = payload.count
        guard count <= payloadLimit, buffer.tailroom >= count + (mask == nil ? 2 : 6) else { return false }
        buffer.append(0x80 | opcode)
        guard let mask else {
            buffer.append(UInt8(truncatingIfNeeded: count))
            buffer.append(payload)
            return true
        }
        buffer.append(0x80 | UInt8(truncatingIfNeeded: count))
        for index in 0..<4 { buffer.append(key(mask, index)) }
        for index in 0..<count { buffer.append(payload[index] ^ key(mask, index & 3)) }
        return true
    }

    /// Byte of a masking key, in the order in which it stands on the wire.
    private static func key(_ mask: UInt32, _ index: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: mask >> UInt32(24 &- 8 &* index))
    }
}
