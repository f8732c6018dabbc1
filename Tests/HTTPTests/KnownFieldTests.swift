import HTTP
import Testing

@Suite struct KnownFieldTests {
    private static func bytes(_ name: StaticString) -> [UInt8] { Array("\(name)".utf8) }

    private static func flipped(_ name: [UInt8], _ mask: Int) -> [UInt8] {
        name.enumerated().map { index, byte in
            (0x61...0x7A).contains(byte) && (mask >> (index % 8)) & 1 == 1 ? byte - 32 : byte
        }
    }

    @Test func `Every name is recognised in any case, alone and inside a longer run`() {
        for field in KnownField.allCases where field != .other {
            var name = Self.bytes(field.name)
            if field == .xForwardedOther { name += Array("proto-version".utf8) }
            if field == .xEnvoy { name += Array("peer-metadata".utf8) }
            for mask in 0..<256 {
                let spelled = Self.flipped(name, mask)
                #expect(KnownField.recognise(spelled.span) == field)
                let line = Array("x\r\n".utf8) + spelled + Array(": value\r\n".utf8)
                let word = ByteScan.word(line.span, at: 3)
                let end = 3 + spelled.count
                let recognised =
                    spelled.count < 8
                    ? KnownField.recognise(ended: word & (~0 &>> UInt64(56 - 8 * spelled.count)))
                    : KnownField.recognise(line.span, from: 3, to: end, word)
                #expect(recognised == field)
            }
        }
    }

    @Test func `A name with one other letter, one more or one less is another name`() {
        let names = Set(KnownField.allCases.map { Self.bytes($0.name) })
        func isFamily(_ name: [UInt8]) -> Bool {
            (name.starts(with: "x-forwarded-".utf8) && name.count > 12)
                || (name.starts(with: "x-envoy-".utf8) && name.count > 8)
        }
        for field in KnownField.allCases where field != .other && field != .xForwardedOther && field != .xEnvoy {
            let name = Self.bytes(field.name)
            var others = [name + [0x78], Array(name.dropLast()), [0x78] + name, Array(name.dropFirst()), name + [0]]
            for place in name.indices {
                // Control characters that setting bit 5 would make those that belong here, too.
                for byte in [0x71, 0x2D, 0x32, 0x5F, 0x7E, 0, 0x0D, 0xFF, name[place] & 0x1F] as [UInt8]
                where name[place] | 0x20 != byte | 0x20 || byte < 0x20 {
                    var other = name
                    other[place] = byte
                    others.append(other)
                }
            }
            for other in others where !names.contains(other) && !isFamily(other) {
                #expect(KnownField.recognise(other.span) == .other, "\(String(decoding: other, as: UTF8.self))")
            }
        }
        #expect(holds(KnownField.recognise(Span()) == .other))
        #expect(KnownField.recognise(Array("x-forwarded-".utf8).span) == .other)
        #expect(KnownField.recognise(Array("x-envoy-".utf8).span) == .other)
    }

    @Test func `Every method is recognised in its own case alone`() {
        for method in Method.allCases where method != .other {
            let name = Self.bytes(method.name)
            #expect(Method.recognise(name.span) == method)
            #expect(Method.recognise(Self.flipped(name.map { $0 | 32 }, 0).span) == .other)
            #expect(Method.recognise((name + [0x58]).span) == .other)
            #expect(Method.recognise(Array(name.dropLast()).span) == .other)
        }
        #expect(Method.recognise(Array("PROPFIND".utf8).span) == .other)
        #expect(holds(Method.recognise(Span()) == .other))
    }
}
