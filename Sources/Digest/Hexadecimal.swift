/// Hexadecimal text of digests (RFC 4648 section 8).
package enum Hexadecimal {
    /// Lower-case digits of `bytes`, two for each.
    package static func encode(_ bytes: Span<UInt8>) -> [UInt8] {
        var digits: [UInt8] = []
        digits.reserveCapacity(bytes.count * 2)
        for index in 0..<bytes.count {
            digits.append(digit(bytes[index] >> 4))
            digits.append(digit(bytes[index] & 15))
        }
        return digits
    }

    /// Bytes of `digits` in either case; nil for an odd number of digits or another byte among them.
    package static func decode(_ digits: Span<UInt8>) -> [UInt8]? {
        guard digits.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        for index in 0..<digits.count / 2 {
            guard let high = value(digits[index * 2]), let low = value(digits[index * 2 + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? 0x30 &+ value : 0x57 &+ value
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case 0x30...0x39: digit &- 0x30
        case 0x41...0x46: digit &- 0x37
        case 0x61...0x66: digit &- 0x57
        default: nil
        }
    }
}
