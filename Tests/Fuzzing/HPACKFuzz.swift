import Containers
import HTTP
import HTTP2
import Simulation

/// Field blocks of one connection: `[length][block]…`, the length in two bytes of which the second counts by 16.
///
/// The decoder says what a naive one says; lines that may be sent on read the same after our encoder.
enum HPACKFuzz {
    static func run(_ input: [UInt8]) throws(FuzzViolation) {
        let tables = HPACKTables()
        var parts = FuzzInput(input)
        var decoder = FieldDecoder()
        var naive = NaiveHPACK()
        var encoder = FieldEncoder()
        var second = FieldDecoder()
        var section = FieldSection(limits: FieldLimits(trailerFields: 128, trailerBytes: 65_536))
        while !parts.isEmpty {
            let count = Int(parts.byte()) + 16 * Int(parts.byte() & 0x1F)
            let block = parts.take(count)
            section.begin(.trailers)
            let outcome = decoder.decode(block.span, tables, into: &section)
            let expected = naive.decode(block)
            if outcome == .tooMuch { return }
            try require((outcome == .decoded) == (expected != nil), "\(outcome) of \(block)")
            guard let expected, outcome == .decoded else { return }
            // What is refused is not kept.
            if section.refusal != .none { continue }
            let lines = section.arena.copiedBytes()
            try require(lines == expected, "\(shown(lines)), not \(shown(expected))")
            guard section.fault == .none, isText(section, lines) else { continue }
            var output = Buffer(capacity: FieldEncoder.bytesNeeded(2 * lines.count, fields: 0))
            if block.count % 7 == 0 { encoder.setPeerLimit(block.count * 8) }
            encoder.begin(&output)
            encoder.append(additions: lines.span, tables, to: &output)
            let again = output.copiedBytes()
            section.begin(.trailers)
            let outcomeAgain = second.decode(again.span, tables, into: &section)
            try require(outcomeAgain == .decoded, "what was encoded is \(outcomeAgain): \(again)")
            let read = section.arena.copiedBytes()
            let isShorter = section.count < lines.count(where: { $0 == 10 })
            try require(isShorter || read == lines, "\(shown(read)) came of \(shown(lines))")
            if isShorter { try require(hasConnectionField(lines), "a field was lost of \(shown(lines))") }
        }
    }

    private static func isText(_ section: borrowing FieldSection, _ lines: [UInt8]) -> Bool {
        // A pseudo-header field is no line.
        !lines.isEmpty && section.fault == .none
    }

    private static func hasConnectionField(_ lines: [UInt8]) -> Bool {
        let names = ["te", "host", "http2-settings"]
        return String(decoding: lines, as: UTF8.self).split(separator: "\r\n").contains { line in
            names.contains(String(line.prefix { $0 != ":" }))
        }
    }
}
