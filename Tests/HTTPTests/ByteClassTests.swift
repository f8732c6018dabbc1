import HTTP
import Testing

@Suite struct ByteClassTests {
    private static func isAmong(_ byte: UInt8, _ marks: String) -> Bool { marks.utf8.contains(byte) }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }

    @Test func `The table says what the grammar says of every byte`() {
        for byte in UInt8.min...UInt8.max {
            let alphanumeric = Self.isAlphanumeric(byte)
            #expect(ByteClass.isToken(byte) == (alphanumeric || Self.isAmong(byte, "!#$%&'*+-.^_`|~")), "\(byte)")
            #expect(ByteClass.isFieldValue(byte) == (byte == 9 || (byte >= 0x20 && byte != 0x7F)), "\(byte)")
            let target = alphanumeric || Self.isAmong(byte, "-._~!$&'()*+,;=:@/?%[]")
            #expect(ByteClass.isTarget(byte) == target, "\(byte)")
            #expect(ByteClass.isPlainTarget(byte) == (target && !Self.isAmong(byte, "?%")), "\(byte)")
            #expect(ByteClass.isDigit(byte) == (0x30...0x39).contains(byte), "\(byte)")
            let digit = UInt8(String(UnicodeScalar(byte)), radix: 16)
            #expect(ByteClass.isHexDigit(byte) == (digit != nil), "\(byte)")
            #expect(ByteClass.hexValue(byte) == digit, "\(byte)")
            #expect(ByteClass.isUnreserved(byte) == (alphanumeric || Self.isAmong(byte, "-._~")), "\(byte)")
            #expect(ByteClass.isHost(byte) == (alphanumeric || Self.isAmong(byte, "-._~!$&'()*+;=")), "\(byte)")
            let lowercased = (0x41...0x5A).contains(byte) ? byte + 32 : byte
            #expect(ByteClass.lowercased(byte) == lowercased, "\(byte)")
        }
    }
}
