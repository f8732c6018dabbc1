/// Dotted decimal, strictly: what `inet_aton` also takes (`127.1`, `0x7f.1`, `010.0.0.1`) would let one address have
/// several spellings.
enum IPv4Text {
    static func parse(_ bytes: Span<UInt8>) -> UInt32? {
        parse(bytes, in: 0..<bytes.count)
    }

    /// Reads exactly the bytes of `range`, which must lie inside `bytes`.
    static func parse(_ bytes: Span<UInt8>, in range: Range<Int>) -> UInt32? {
        guard range.count >= 7, range.count <= 15 else { return nil }
        var address: UInt32 = 0
        var octet: UInt32 = 0
        var digits = 0
        var dots = 0
        for index in range {
            let byte = bytes[index]
            if byte == 0x2E {
                guard digits > 0, dots < 3 else { return nil }
                address = address << 8 | octet
                octet = 0
                digits = 0
                dots &+= 1
                continue
            }
            guard byte >= 0x30, byte <= 0x39, digits < 3, digits == 0 || octet != 0 else { return nil }
            octet = octet &* 10 &+ UInt32(byte &- 0x30)
            digits &+= 1
            guard octet <= 255 else { return nil }
        }
        guard dots == 3, digits > 0 else { return nil }
        return address << 8 | octet
    }

    static func write(_ octets: UInt32, into sink: (UInt8) -> Void) {
        DecimalText.write(octets >> 24, into: sink)
        var shift: UInt32 = 24
        while shift > 0 {
            shift &-= 8
            sink(0x2E)
            DecimalText.write(octets >> shift & 0xFF, into: sink)
        }
    }
}
