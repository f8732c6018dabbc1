import Digest
import HTTP

/// The proof of a WebSocket handshake (RFC 6455 section 4.2.2).
package enum WebSocketHandshake {
    /// Bytes of `Sec-WebSocket-Accept`.
    package static let acceptByteCount = 28

    /// The value of `Sec-WebSocket-Accept` that belongs to a key.
    package static func accept(for key: Span<UInt8>) -> InlineArray<28, UInt8> {
        var text: [UInt8] = []
        text.reserveCapacity(key.count + guid.count)
        for index in 0..<key.count { text.append(key[index]) }
        for index in guid.indices { text.append(guid[index]) }
        let digits = Base64.encode(SHA1.digest(text.span).span)
        var accept = InlineArray<28, UInt8>(repeating: 0)
        for index in accept.indices where index < digits.count { accept[index] = digits[index] }
        return accept
    }

    /// A key out of 16 random bytes (RFC 6455 section 4.1).
    package static func key(_ first: UInt64, _ second: UInt64) -> InlineArray<24, UInt8> {
        var key = InlineArray<24, UInt8>(repeating: 0x3D)
        for at in 0..<10 {
            let shift = UInt64(58 - 6 * at)
            key[at] = Base64.digit(UInt8(truncatingIfNeeded: first >> shift & 63))
            key[10 + at] = Base64.digit(UInt8(truncatingIfNeeded: second >> shift & 63))
        }
        let rest = UInt8(truncatingIfNeeded: first & 15) << 4 | UInt8(truncatingIfNeeded: second & 15)
        key[20] = Base64.digit(rest >> 2)
        // The last digit carries two bits of the key; the other four are zero.
        key[21] = Base64.digit((rest & 3) << 4)
        return key
    }

    /// Whether a 101's `Sec-WebSocket-Accept` belongs to the key that was sent.
    package static func isAccepted(_ accept: Span<UInt8>, for key: Span<UInt8>) -> Bool {
        let expected = Self.accept(for: key)
        return ByteClass.equals(accept, expected.span)
    }

    /// `258EAFA5-E914-47DA-95CA-C5AB0DC85B11` (RFC 6455 section 1.3).
    private static let guid: InlineArray<36, UInt8> = [
        0x32, 0x35, 0x38, 0x45, 0x41, 0x46, 0x41, 0x35, 0x2D, 0x45, 0x39, 0x31, 0x34, 0x2D, 0x34, 0x37, 0x44, 0x41,
        0x2D, 0x39, 0x35, 0x43, 0x41, 0x2D, 0x43, 0x35, 0x41, 0x42, 0x30, 0x44, 0x43, 0x38, 0x35, 0x42, 0x31, 0x31,
    ]
}
