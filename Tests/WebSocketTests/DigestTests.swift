import Digest
import Testing

@Suite struct DigestTests {
    private static func hex(_ span: Span<UInt8>) -> String { String(decoding: Hexadecimal.encode(span), as: UTF8.self) }

    @Test func `Digests are those of the standards' examples`() {
        let abc = Array("abc".utf8)
        let long = Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8)
        #expect(Self.hex(SHA1.digest(abc.span).span) == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(Self.hex(SHA1.digest(long.span).span) == "84983e441c3bd26ebaae4aa1f95129e5e54670f1")
        #expect(Self.hex(SHA1.digest(Span()).span) == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
        #expect(
            Self.hex(SHA256.digest(abc.span).span) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        )
        #expect(
            Self.hex(SHA256.digest(long.span).span)
                == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
        #expect(
            Self.hex(SHA256.digest(Span()).span) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    }

    @Test func `Secrets are equal only when every byte is`() {
        let secret = Array("correct horse".utf8)
        #expect(holds(ConstantTime.equals(secret.span, Array("correct horse".utf8).span)))
        for place in secret.indices {
            var other = secret
            other[place] ^= 1
            #expect(holds(!ConstantTime.equals(secret.span, other.span)))
        }
        #expect(holds(!ConstantTime.equals(secret.span, Array("correct hors".utf8).span)))
        #expect(holds(!ConstantTime.equals(secret.span, Span())))
        #expect(holds(ConstantTime.equals(Span(), Span())))
    }

    @Test func `Hexadecimal text is decoded strictly`() {
        let bytes = (0...255).map { UInt8($0) }
        #expect(Hexadecimal.decode(Hexadecimal.encode(bytes.span).span) == bytes)
        #expect(Hexadecimal.decode(Array("aAfF09".utf8).span) == [0xAA, 0xFF, 0x09])
        for text in ["a", "0x", "g0", " 0", "+1", "\u{661}0"] {
            #expect(Hexadecimal.decode(Array(text.utf8).span) == nil)
        }
        #expect(Hexadecimal.decode(Span()) == [])
    }
}
