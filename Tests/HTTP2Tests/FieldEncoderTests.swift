import Containers
import HTTP
import Testing

@testable import HTTP2

@Suite struct FieldEncoderTests {
    /// Lines, `Name: value` each, and where they stand in a head.
    struct Lines: ~Copyable {
        var bytes = Buffer(capacity: 1 << 17)
        var fields = FixedArray<FieldLine>(capacity: 64)

        mutating func append(_ name: String, _ value: String, isSensitive: Bool = false, isRemoved: Bool = false) {
            let start = bytes.count
            bytes.append(Array("\(name): \(value)\r\n".utf8))
            var line = FieldLine(
                name: ByteRange(start: start, count: name.utf8.count),
                value: ByteRange(start: start + name.utf8.count + 2, count: value.utf8.count),
                known: KnownField.recognise(Array(name.utf8).span), isNormal: true, isSensitive: isSensitive)
            line.isRemoved = isRemoved
            fields.append(line)
        }
    }

    struct Pair: ~Copyable {
        let tables = HPACKTables()
        var encoder = FieldEncoder()
        var decoder = FieldDecoder()
        var block: [UInt8] = []

        /// What the other side makes of lines.
        mutating func send(_ lines: borrowing Lines) -> [String] {
            var output = Buffer(capacity: FieldEncoder.bytesNeeded(lines.bytes.count, fields: lines.fields.count))
            encoder.begin(&output)
            encoder.append(lines.fields, of: lines.bytes.span, tables, to: &output)
            block = Array(copying: output.span)
            let found = FieldDecoderTests.decode(block, &decoder, tables)
            #expect(found.outcome == .decoded)
            return found.lines
        }
    }

    private func sent(_ pairs: [(String, String)], _ pair: inout Pair) -> [String] {
        var lines = Lines()
        for (name, value) in pairs { lines.append(name, value) }
        return pair.send(lines)
    }

    @Test func `Lines that were sent before are one byte, whatever the case of their names`() {
        var pair = Pair()
        let pairs = [("Server", "upstream/1.0"), ("Content-Type", "application/json"), ("X-A", "1")]
        let expected = ["server: upstream/1.0", "content-type: application/json", "x-a: 1"]
        #expect(sent(pairs, &pair) == expected)
        #expect(sent(pairs, &pair) == expected)
        #expect(pair.block == [0xC0, 0xBF, 0xBE])
        #expect(sent(pairs.map { ($0.0.uppercased(), $0.1) }, &pair) == expected)
        #expect(pair.block == [0xC0, 0xBF, 0xBE])
    }

    /// `_` and DEL, `@` and a backtick, `-` and CR differ in bit 5 as letters do.
    @Test func `Names that differ in more than case are different`() {
        var pair = Pair()
        for name in ["x-a`b", "x-^b-c-d-e", "x_y_z", "x-y-z", "x^y-z", "x~y-z"] {
            #expect(sent([(name, "v")], &pair) == ["\(name): v"])
        }
        #expect(sent([("abc", "De")], &pair) == ["abc: De"])
        #expect(sent([("abc", "dE")], &pair) == ["abc: dE"])
        #expect(sent([("ab", "c: De")], &pair) == ["ab: c: De"])
    }

    @Test(arguments: [
        "Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "X-Api-Key", "X-Auth-Token", "Client-Secret",
        "X-PASSWORD",
    ])
    func `Secrets never get into a table`(name: String) {
        var pair = Pair()
        for _ in 0..<2 {
            #expect(sent([(name, "abc")], &pair) == ["\(name.lowercased()): abc"])
            #expect(pair.block[0] & 0xF0 == 0x10)
        }
    }

    @Test func `What its sender wants in no table is passed on like that`() {
        var pair = Pair()
        var lines = Lines()
        lines.append("x-a", "b", isSensitive: true)
        #expect(pair.send(lines) == ["x-a: b"])
        #expect(pair.block[0] == 0x10)
    }

    @Test func `Removed fields and those of a connection are not sent`() {
        var pair = Pair()
        var lines = Lines()
        lines.append("x-a", "b", isRemoved: true)
        for name in ["Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade", "TE", "Host"] {
            lines.append(name, "x")
        }
        #expect(pair.send(lines) == [])
    }

    @Test func `Fields whose value is new each time take no room in the table`() {
        var pair = Pair()
        _ = sent([("Content-Length", "12"), ("X-Request-Id", "abc")], &pair)
        #expect(pair.block[0] & 0xF0 == 0)
        _ = sent([("x-long", String(repeating: "x", count: 1_000))], &pair)
        #expect(pair.block[0] == 0)
    }

    @Test func `A peer's smaller table is told and kept to`() {
        var pair = Pair()
        #expect(sent([("x-a", "b")], &pair) == ["x-a: b"])
        pair.encoder.setPeerLimit(0)
        #expect(sent([("x-a", "b")], &pair) == ["x-a: b"])
        #expect(pair.block[0...1] == [0x20, 0x00])
        pair.encoder.setPeerLimit(200)
        #expect(sent([("x-a", "b")], &pair) == ["x-a: b"])
        #expect(pair.block[0...3] == [0x3F, 0xA9, 0x01, 0x40])
        // Down and up again between two blocks: both are told, the least first.
        pair.encoder.setPeerLimit(10)
        pair.encoder.setPeerLimit(1 << 30)
        #expect(sent([("x-a", "b")], &pair) == ["x-a: b"])
        #expect(pair.block[0...4] == [0x2A, 0x3F, 0xE1, 0x1F, 0x40])
        #expect(sent([("x-a", "b")], &pair) == ["x-a: b"])
        #expect(pair.block == [0xBE])
    }

    @Test func `Additions are sent as fields`() {
        var pair = Pair()
        var output = Buffer(capacity: 1_024)
        pair.encoder.append(additions: Array("X-A: b: c\r\nVia: 2.0 martlet\r\n".utf8).span, pair.tables, to: &output)
        let found = FieldDecoderTests.decode(Array(copying: output.span), &pair.decoder, pair.tables)
        #expect(found.lines == ["x-a: b: c", "via: 2.0 martlet"])
    }

    @Test func `Additions are sent without white space around their values`() {
        var pair = Pair()
        let lines = Array("X-A: b \t\r\nX-B:  b\r\nX-C:  \r\nX-D: \r\nX-B:  b\r\nX-A: b\r\n".utf8)
        var output = Buffer(capacity: 1_024)
        pair.encoder.append(additions: lines.span, pair.tables, to: &output)
        let found = FieldDecoderTests.decode(Array(copying: output.span), &pair.decoder, pair.tables)
        #expect(found.lines == ["x-a: b", "x-b: b", "x-c: ", "x-d: ", "x-b: b", "x-a: b"])
    }

    @Test func `Whatever is sent is read again`() {
        var dice = RandomSource(seed: 7_541)
        for _ in 0..<15 {
            var pair = Pair()
            for _ in 0..<60 {
                var lines = Lines()
                var expected: [String] = []
                for _ in 0..<(1 + dice.below(12)) {
                    let name = "N\(["ame", "-", "~a", "ame-of-Some-Length"][dice.below(4)])\(dice.below(6))"
                    let value =
                        String(repeating: "v", count: [0, 1, 7, 8, 40, 300, 900][dice.below(7)]) + "\(dice.below(4))"
                    lines.append(name, value, isSensitive: dice.below(20) == 0)
                    expected.append("\(name.lowercased()): \(value)")
                }
                if dice.below(8) == 0 { pair.encoder.setPeerLimit([0, 100, 1_000, 4_096, 9_999][dice.below(5)]) }
                #expect(pair.send(lines) == expected)
            }
        }
    }
}
