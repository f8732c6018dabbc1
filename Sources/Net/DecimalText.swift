/// Decimal numbers of at most five digits: octets, ports, prefix lengths.
enum DecimalText {
    /// Reads all bytes of `range` as a number without sign and leading zeros, at most `limit` (≤ 99,999).
    static func parse(_ bytes: Span<UInt8>, in range: Range<Int>, limit: Int) -> Int? {
        guard !range.isEmpty, range.count <= 5 else { return nil }
        if range.count > 1, bytes[range.lowerBound] == 0x30 { return nil }
        var value = 0
        for index in range {
            let byte = bytes[index]
            guard byte >= 0x30, byte <= 0x39 else { return nil }
            value = value &* 10 &+ Int(byte &- 0x30)
        }
        return value <= limit ? value : nil
    }

    static func write(_ value: UInt32, into sink: (UInt8) -> Void) {
        var divisor: UInt32 = 1
        while value / divisor >= 10 { divisor &*= 10 }
        while divisor > 0 {
            sink(0x30 &+ UInt8(truncatingIfNeeded: value / divisor % 10))
            divisor /= 10
        }
    }
}
