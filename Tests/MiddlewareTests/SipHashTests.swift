import Testing

@testable import Middleware

@Suite struct SipHashTests {
    /// First vectors of the reference implementation for 128 bits: key 00…0f, input 00, 01, ….
    private static let vectors: [[UInt8]] = [
        [0xA3, 0x81, 0x7F, 0x04, 0xBA, 0x25, 0xA8, 0xE6, 0x6D, 0xF6, 0x72, 0x14, 0xC7, 0x55, 0x02, 0x93],
        [0xDA, 0x87, 0xC1, 0xD8, 0x6B, 0x99, 0xAF, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9B, 0x22, 0xFC, 0x45],
        [0x81, 0x77, 0x22, 0x8D, 0xA4, 0xA4, 0x5D, 0xC7, 0xFC, 0xA3, 0x8B, 0xDE, 0xF6, 0x0A, 0xFF, 0xE4],
    ]

    @Test func `Hashes agree with the reference vectors`() {
        let hasher = SipHash(0x0706_0504_0302_0100, 0x0F0E_0D0C_0B0A_0908)
        for (count, vector) in Self.vectors.enumerated() {
            let input = (0..<count).map { UInt8($0) }
            let hash = hasher.hash(input.span)
            let bytes = [hash.low, hash.high].flatMap { word in
                (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }
            }
            #expect(bytes == vector)
        }
    }

    @Test func `Every byte and every length counts`() {
        let hasher = SipHash(1, 2)
        var seen: Set<UInt64> = []
        for count in 0..<40 {
            let input = [UInt8](repeating: 0, count: count)
            seen.insert(hasher.hash(input.span).low)
            for index in 0..<count {
                var changed = input
                changed[index] = 0x80
                seen.insert(hasher.hash(changed.span).low)
            }
        }
        #expect(seen.count == 40 + 39 * 40 / 2)
        #expect(SipHash.random().hash([UInt8]().span) != SipHash.random().hash([UInt8]().span))
    }
}
