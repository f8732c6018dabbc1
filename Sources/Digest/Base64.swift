/// Base64 with padding (RFC 4648 section 4).
package enum Base64 {
    /// Four digits for every three bytes and what is left of them.
    package static func encode(_ bytes: Span<UInt8>) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let count = min(3, bytes.count - start)
            var bits: UInt32 = 0
            for offset in 0..<3 { bits = bits << 8 | (offset < count ? UInt32(bytes[start + offset]) : 0) }
            for place in 0..<4 {
                text.append(
                    place <= count ? digit(UInt8(truncatingIfNeeded: bits >> (18 - 6 * UInt32(place)) & 63)) : 0x3D)
            }
        }
        return text
    }

    /// The digit of six bits.
    package static func digit(_ value: UInt8) -> UInt8 {
        switch value {
        case 0..<26: 0x41 + value
        case 26..<52: 0x61 + value - 26
        case 52..<62: 0x30 + value - 52
        case 62: 0x2B
        default: 0x2F
        }
    }
}
