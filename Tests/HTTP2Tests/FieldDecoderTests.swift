import Containers
import HTTP
import Testing

@testable import HTTP2

@Suite struct FieldDecoderTests {
    /// What a block decodes to, lines without their ends; as trailers, which change nothing of what they are given.
    static func decode(
        _ block: [UInt8], _ decoder: inout FieldDecoder, _ tables: borrowing HPACKTables
    ) -> (outcome: FieldDecoder.Outcome, lines: [String]) {
        var section = FieldSection(limits: FieldLimits(trailerFields: 128, trailerBytes: 65_536))
        section.begin(.trailers)
        let outcome = decoder.decode(block.span, tables, into: &section)
        let lines = text(section.arena.span).split(separator: "\r\n").map { String($0) }
        return (outcome, lines)
    }

    private func expect(_ blocks: [(String, [String])], sourceLocation: SourceLocation = #_sourceLocation) {
        let tables = HPACKTables()
        var decoder = FieldDecoder()
        for (hex, lines) in blocks {
            let found = Self.decode(Array(hex: hex), &decoder, tables)
            #expect(found.outcome == .decoded, sourceLocation: sourceLocation)
            #expect(found.lines == lines, sourceLocation: sourceLocation)
        }
    }

    @Test func `The examples of RFC 7541 appendix C.2 are decoded`() {
        expect([("400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", ["custom-key: custom-header"])])
        expect([("040c 2f73 616d 706c 652f 7061 7468", [":path: /sample/path"])])
        expect([("1008 7061 7373 776f 7264 0673 6563 7265 74", ["password: secret"])])
        expect([("82", [":method: GET"])])
    }

    private static let requests: [[String]] = [
        [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"],
        [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com", "cache-control: no-cache"],
        [
            ":method: GET", ":scheme: https", ":path: /index.html", ":authority: www.example.com",
            "custom-key: custom-value",
        ],
    ]

    @Test func `The requests of RFC 7541 appendix C.3 and C.4 are decoded`() {
        expect(
            Array(
                zip(
                    [
                        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", "8286 84be 5808 6e6f 2d63 6163 6865",
                        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
                    ], Self.requests)))
        expect(
            Array(
                zip(
                    [
                        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", "8286 84be 5886 a8eb 1064 9cbf",
                        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
                    ], Self.requests)))
    }

    private static let responses: [[String]] = [
        [
            ":status: 302", "cache-control: private", "date: Mon, 21 Oct 2013 20:13:21 GMT",
            "location: https://www.example.com",
        ],
        [
            ":status: 307", "cache-control: private", "date: Mon, 21 Oct 2013 20:13:21 GMT",
            "location: https://www.example.com",
        ],
        [
            ":status: 200", "cache-control: private", "date: Mon, 21 Oct 2013 20:13:22 GMT",
            "location: https://www.example.com", "content-encoding: gzip",
            "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
        ],
    ]

    /// A table of 256 bytes, set by an update, so that entries have to go.
    @Test func `The responses of RFC 7541 appendix C.5 and C.6 are decoded`() {
        expect(
            Array(
                zip(
                    [
                        """
                        3fe101 4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a
                        3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d
                        """, "4803 3330 37c1 c0bf",
                        """
                        88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a
                        6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d
                        6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31
                        """,
                    ], Self.responses)))
        expect(
            Array(
                zip(
                    [
                        """
                        3fe101 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e
                        919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3
                        """, "4883 640e ffc1 c0bf",
                        """
                        88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d
                        d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106
                        3d50 07
                        """,
                    ], Self.responses)))
    }

    @Test func `Blocks of another encoder are decoded`() {
        let tables = HPACKTables()
        var decoder = FieldDecoder()
        var blocks = 0
        for line in FixtureFile.lines("hpack.txt") {
            if line == "new" {
                decoder = FieldDecoder()
                continue
            }
            guard let mark = line.firstRange(of: " = ") else {
                Issue.record("\(line)")
                continue
            }
            let fields = line[mark.upperBound...].split(separator: "|").map { String($0) }
            let found = Self.decode(Array(hex: String(line[..<mark.lowerBound])), &decoder, tables)
            #expect(found.outcome == .decoded)
            #expect(found.lines == fields)
            blocks += 1
        }
        #expect(blocks == 144)
    }

    @Test(arguments: [
        ("80", "index 0"), ("c0", "an index behind the static table"), ("ff80808001", "a large index"),
        ("7f8080808080808001", "an integer that does not end in time"), ("ff", "an integer without an end"),
        ("40", "no name"), ("4003", "a name without bytes"), ("400161", "no value"),
        ("40016183", "a value without bytes"),
        ("82 20", "a table's size behind a field"), ("3fe21f", "a table of 4,097 bytes"),
        ("3fffffffff7f", "a huge table"),
        ("4081ff 00", "eight bits of padding"), ("4081fe 00", "padding that is no ones"),
        ("4081 1e00", "a code that ends in zeros"),
        ("4084ffffffff 00", "the end of a string inside of it"),
        ("4085 1fffffffff 00", "the end of a string behind a byte"),
        ("4082 1fff 00", "padding of more than seven bits"),
    ])
    func `Broken blocks are told as such`(hex: String, _: String) {
        let tables = HPACKTables()
        var decoder = FieldDecoder()
        #expect(Self.decode(Array(hex: hex), &decoder, tables).outcome == .broken)
    }

    @Test func `Padding of up to seven ones is no part of a string`() {
        // `a` has five bits, `b` six, `0` five, `&` eight.
        expect([("4081 1f 81 f8", ["a: &"]), ("4082 1c7f 81 07", ["ab: 0"])])
    }

    @Test func `The peer must lower its table once it knows that it has to`() {
        let tables = HPACKTables()
        var decoder = FieldDecoder(tableSize: 100)
        #expect(Self.decode(Array(hex: "4001 6101 62"), &decoder, tables).outcome == .decoded)
        decoder.settingsAcknowledged()
        #expect(Self.decode([], &decoder, tables).outcome == .decoded)
        #expect(Self.decode(Array(hex: "be"), &decoder, tables).outcome == .broken)
        var other = FieldDecoder(tableSize: 100)
        other.settingsAcknowledged()
        #expect(Self.decode(Array(hex: "3f46"), &other, tables).outcome == .broken, "101 is too much")
        #expect(Self.decode(Array(hex: "20 3f45 4001 6101 62"), &other, tables).lines == ["a: b"])
        #expect(Self.decode(Array(hex: "be"), &other, tables).lines == ["a: b"])
    }

    @Test func `An entry larger than the table empties it`() {
        let tables = HPACKTables()
        var decoder = FieldDecoder()
        #expect(Self.decode(Array(hex: "4001 6101 62"), &decoder, tables).lines == ["a: b"])
        let long = Array(hex: "4001 617f 8120") + Array(repeating: 0x63, count: 4_224)
        #expect(Self.decode(long, &decoder, tables).outcome == .decoded)
        #expect(Self.decode([0xBE], &decoder, tables).outcome == .broken)
    }

    @Test func `A string that nobody could keep empties the table and is refused`() {
        let tables = HPACKTables()
        for isName in [false, true] {
            var decoder = FieldDecoder()
            var section = FieldSection()
            #expect(Self.decode(Array(hex: "4001 6101 62"), &decoder, tables).lines == ["a: b"])
            section.begin(.request)
            // 40,000 bytes.
            let long = Array(hex: "7fc1b702") + Array(repeating: 0x63, count: 40_000)
            let block = isName ? [0x40] + long + [1, 0x62] : Array(hex: "400161") + long
            #expect(decoder.decode((block + [0x82]).span, tables, into: &section) == .decoded)
            #expect(section.refusal == .headersTooLarge)
            #expect(text(section.arena.span) == ":method: GET\r\n")
            #expect(Self.decode([0xBE], &decoder, tables).outcome == .broken)
        }
    }

    @Test func `A section over its limits is refused and keeps the table in step`() {
        let tables = HPACKTables()
        var decoder = FieldDecoder()
        var section = FieldSection(limits: FieldLimits(fields: 4, bytes: 1_000))
        section.begin(.request)
        let block = Array(hex: "82 82 82 82 82 4001 6101 62 82 82")
        #expect(decoder.decode(block.span, tables, into: &section) == .decoded)
        #expect(section.refusal == .headersTooLarge)
        #expect(section.count == 8)
        #expect(Self.decode([0xBE], &decoder, tables).lines == ["a: b"])
    }

    @Test func `Far beyond its limits a section is no longer worth decoding`() {
        let tables = HPACKTables()
        var decoder = FieldDecoder()
        var section = FieldSection(limits: FieldLimits(fields: 4, bytes: 100_000))
        section.begin(.request)
        #expect(decoder.decode(Array(repeating: 0x82, count: 16).span, tables, into: &section) == .decoded)
        section.begin(.request)
        #expect(decoder.decode(Array(repeating: 0x82, count: 17).span, tables, into: &section) == .tooMuch)
        // References to 4,000 bytes.
        let long = Array(hex: "4001 617f a11e") + Array(repeating: 0x63, count: 4_000)
        section = FieldSection()
        section.begin(.request)
        let bomb = long + Array(repeating: 0xBE, count: 5_000)
        #expect(decoder.decode(bomb.span, tables, into: &section) == .tooMuch)
        #expect(section.count < 80)
    }

    @Test func `Every byte's code is decoded, and every length of it`() {
        // Codes by their definition: in the order of length and byte (RFC 7541 section 5.2).
        var codes = [(code: UInt64, length: Int)](repeating: (0, 0), count: 257)
        var next: UInt64 = 0
        for length in 1...30 {
            for symbol in 0..<257 where Int(HuffmanCode.lengths[symbol]) == length {
                codes[symbol] = (next, length)
                next += 1
            }
            next <<= 1
        }
        #expect(codes[256].code == 0x3FFF_FFFF)
        let huffman = HuffmanDecoder()
        var dice = RandomSource(seed: 7)
        for round in 0..<1_000 {
            let bytes =
                round < 256
                ? [UInt8(round)]
                : (0..<dice.below(40)).map { _ in UInt8(round & 1 == 0 ? dice.below(256) : 97 + dice.below(26)) }
            var coded: [UInt8] = []
            var bits: UInt64 = 0
            var count = 0
            for byte in bytes {
                bits = bits << UInt64(codes[Int(byte)].length) | codes[Int(byte)].code
                count += codes[Int(byte)].length
                while count >= 8 {
                    count -= 8
                    coded.append(UInt8(truncatingIfNeeded: bits >> UInt64(count)))
                }
            }
            if count > 0 { coded.append(UInt8(truncatingIfNeeded: bits << UInt64(8 - count) | 0xFF >> UInt64(count))) }
            var output = Buffer(capacity: 512)
            #expect(holds(huffman.decode(coded.span, into: &output)))
            #expect(Array(copying: output.span) == bytes)
        }
    }
}
