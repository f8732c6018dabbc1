import Containers
import HTTP
import Testing

@testable import HTTP1

@Suite struct FieldLineScannerTests {
    private static let lines = [
        "Host: a.test:8080\r\n", "X-Abcdefghijkl: some value, with more\r\n", "te: x\r\n", "A:b\r\n", "Empty:\r\n",
        "Content-Length: 12\r\n", "Sec-WebSocket-Extensions: permessage-deflate\r\n", "X-Forwarded-Weird: 1\r\n",
        "Accept-Language: en-US,en;q=0.5\t\r\n", "X_A: b\r\n", "X-Envoy-Y: \u{e9}\r\n",
    ].map { Array($0.utf8) }

    /// Bytes that could be mistaken for others: letters and `-` but for single bits, ends of words, NUL.
    private static let spice = Array("\r\n\t :-_.a[{@`0\0\u{1}\u{10}\u{7F}".utf8) + [0x80, 0xBA, 0xFF]

    @Test func `What passes as a usual line is what the strict scan finds`() {
        var random = RandomSource(seed: 7)
        var usualLines = 0
        for round in 0..<60_000 {
            var bytes = Self.lines[random.below(Self.lines.count)] + Array("Next: 1\r\n\r\n".utf8)
            for _ in 0..<random.below(4) {
                let at = random.below(bytes.count)
                let byte = Self.spice[random.below(Self.spice.count)]
                switch random.below(3) {
                case 0: bytes[at] = byte
                case 1: bytes.insert(byte, at: at)
                default: bytes.remove(at: at)
                }
            }
            bytes = Array("x: y\r\n".utf8) + bytes.prefix(random.below(60))
            let limit = random.below(40)
            guard let usual = FieldLineScanner.usualLine(bytes.span, at: 6, limit: limit) else { continue }
            usualLines += 1
            var line = FieldLine(name: .empty, value: .empty, known: .other)
            var cursor = 6
            #expect(FieldLineScanner.scan(bytes.span, &cursor, limit: limit, into: &line) == .line, "\(round)")
            #expect(cursor == usual.end && line.known == usual.line.known, "\(round)")
            #expect(line.name == usual.line.name && line.value == usual.line.value, "\(round)")
            #expect(line.isNormal == usual.line.isNormal && line.isRemoved == usual.line.isRemoved, "\(round)")
        }
        #expect(usualLines > 1_000)
    }
}
