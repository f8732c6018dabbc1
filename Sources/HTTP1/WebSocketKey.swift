/// `Sec-WebSocket-Key` (RFC 6455 section 4.2.1): base64 of 16 bytes, so 22 digits and `==`.
enum WebSocketKey {
    static func isValid(_ value: Span<UInt8>) -> Bool {
        guard value.count == 24, value[22] == 0x3D, value[23] == 0x3D else { return false }
        for index in 0..<22 {
            switch value[index] {
            case 0x41...0x5A, 0x61...0x7A, 0x30...0x39, 0x2B, 0x2F: continue
            default: return false
            }
        }
        // The last digit carries two bits of the key; the other four are zero.
        switch value[21] {
        case 0x41, 0x51, 0x67, 0x77: return true
        default: return false
        }
    }
}
