import Testing

@testable import Containers

@Suite("The keyed hash")
struct KeyHashTests {
    /// Computed with the reference implementation's round counts (1, 3) for key 00 01 … 0f over 00 01 … n-1.
    private static let key = KeyHash(key0: 0x0706_0504_0302_0100, key1: 0x0F0E_0D0C_0B0A_0908)

    @Test(
        "agrees with an independent SipHash-1-3",
        arguments: [
            (0, 0xABAC0158050FC4DC), (1, 0xC9F49BF37D57CA93), (8, 0x369095118D299A8E), (15, 0xD320D86D2A519956),
            (63, 0x9D199062B7BBB3A8),
        ] as [(Int, UInt64)])
    func vectors(length: Int, expected: UInt64) {
        let bytes = (0..<length).map { UInt8($0) }
        #expect(Self.key.hash(bytes.span) == expected)
    }

    @Test("a number hashes as its eight bytes")
    func number() {
        let bytes: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8]
        #expect(Self.key.hash(bytes.span) == Self.key.hash(0x0807_0605_0403_0201))
    }

    @Test("another key, another cut of the same bytes, and another order give another hash")
    func distinct() {
        let a: [UInt8] = [1]
        let b: [UInt8] = [2, 3]
        let ab: [UInt8] = [1, 2]
        let c: [UInt8] = [3]
        let key = Self.key
        let hashes: Set<UInt64> = [
            key.hash(b.span, after: key.hash(a.span)), key.hash(c.span, after: key.hash(ab.span)),
            key.hash(a.span, after: key.hash(b.span)), KeyHash.shared.hash(a.span), key.hash(a.span),
        ]
        #expect(hashes.count == 5)
    }
}
