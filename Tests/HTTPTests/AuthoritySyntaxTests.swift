import Containers
import HTTP
import Testing

@Suite struct AuthoritySyntaxTests {
    /// The grammar for all but IPv6, byte by byte.
    private static func isName(_ bytes: ArraySlice<UInt8>) -> Bool {
        let colon = bytes.firstIndex(of: 0x3A) ?? bytes.endIndex
        let name = bytes[..<colon]
        guard !name.isEmpty, name.allSatisfy(ByteClass.isHost) else { return false }
        if colon == bytes.endIndex { return true }
        let port = bytes[(colon + 1)...]
        guard port.allSatisfy(ByteClass.isDigit), port.first != 0x30, port.count <= 5,
            let number = Int(String(decoding: port, as: UTF8.self))
        else { return false }
        return number <= 65_535
    }

    @Test func `Random names with ports agree with a look at each byte`() {
        var random = RandomSource(seed: 11)
        let spice = Array("a.-_~!,:%/?#@ 09\t\u{7F}\0".utf8) + [0x80, 0xFF]
        var valid = 0
        for _ in 0..<40_000 {
            var bytes = (0..<random.below(24)).map { _ in UInt8(0x61 + random.below(26)) }
            if random.below(3) > 0 { bytes += Array(":\(random.below(70_000))".utf8) }
            if random.below(3) == 0, !bytes.isEmpty {
                bytes[random.below(bytes.count)] = spice[random.below(spice.count)]
            }
            let padding = random.below(12)
            let line = [0x20, 0x20] + bytes + [0x0D, 0x0A] + [UInt8](repeating: 0x61, count: padding)
            let isValid = AuthoritySyntax.isValid(line.span, ByteRange(start: 2, count: bytes.count))
            #expect(isValid == Self.isName(bytes[...]), "\(String(decoding: bytes, as: UTF8.self))")
            // The bytes may also be all there are.
            let alone = AuthoritySyntax.isValid(bytes.span, ByteRange(start: 0, count: bytes.count))
            #expect(alone == isValid, "\(String(decoding: bytes, as: UTF8.self))")
            if isValid { valid += 1 }
        }
        #expect(valid > 10_000)
    }
}
