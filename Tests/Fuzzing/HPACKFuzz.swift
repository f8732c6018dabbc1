import Containers
import HTTP
import HTTP2

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

/// RFC 7541 with arrays, bit by bit.
struct NaiveHPACK {
    private var table: [[UInt8]] = []
    private var names: [Int] = []
    private var limit = 4_096

    private static let fixed: [[UInt8]] = {
        let text = StaticTable.lines.description
        return text.split(separator: "\r\n").map { Array("\($0)".utf8) }
    }()

    private static let codes: [[Bool]: Int] = {
        var codes: [[Bool]: Int] = [:]
        var next = 0
        for length in 1...30 {
            for symbol in 0..<257 where Int(HuffmanCode.lengths[symbol]) == length {
                codes[(0..<length).map { next >> (length - 1 - $0) & 1 == 1 }] = symbol
                next += 1
            }
            next <<= 1
        }
        return codes
    }()

    /// The lines, each with its CRLF; nil when the block is broken.
    mutating func decode(_ block: [UInt8]) -> [UInt8]? {
        var rest = block[...]
        var lines: [UInt8] = []
        var hasFields = false
        while let first = rest.first {
            if first & 0xE0 == 0x20 {
                guard !hasFields, let size = integer(&rest, 5), size <= 4_096 else { return nil }
                limit = size
                evict()
                continue
            }
            hasFields = true
            if first & 0x80 != 0 {
                guard let index = integer(&rest, 7), let (line, _) = entry(index) else { return nil }
                lines += line + [13, 10]
                continue
            }
            let isIndexed = first & 0x40 != 0
            guard let index = integer(&rest, isIndexed ? 6 : 4) else { return nil }
            var name: [UInt8]
            if index == 0 {
                guard let text = string(&rest) else { return nil }
                name = text
            } else {
                guard let (line, count) = entry(index) else { return nil }
                name = Array(line.prefix(count))
            }
            guard let value = string(&rest) else { return nil }
            let line = name + [0x3A, 0x20] + value
            lines += line + [13, 10]
            if isIndexed {
                table.insert(line, at: 0)
                names.insert(name.count, at: 0)
                evict()
            }
            name = []
        }
        return lines
    }

    private mutating func evict() {
        while table.reduce(0, { $0 + $1.count + 30 }) > limit {
            table.removeLast()
            names.removeLast()
        }
    }

    private func entry(_ index: Int) -> ([UInt8], Int)? {
        if index == 0 { return nil }
        if index <= Self.fixed.count {
            let line = Self.fixed[index - 1]
            return (line, 1 + line.dropFirst().prefix { $0 != 0x3A }.count)
        }
        let place = index - Self.fixed.count - 1
        return place < table.count ? (table[place], names[place]) : nil
    }

    private func integer(_ rest: inout ArraySlice<UInt8>, _ bits: Int) -> Int? {
        guard let first = rest.popFirst() else { return nil }
        let mask = 1 << bits - 1
        var value = Int(first) & mask
        if value < mask { return value }
        for shift in stride(from: 0, through: 21, by: 7) {
            guard let byte = rest.popFirst() else { return nil }
            value += Int(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
        }
        return nil
    }

    private func string(_ rest: inout ArraySlice<UInt8>) -> [UInt8]? {
        let isCoded = rest.first.map { $0 & 0x80 != 0 } ?? false
        guard let count = integer(&rest, 7), count <= rest.count else { return nil }
        let bytes = rest.prefix(count)
        rest = rest.dropFirst(count)
        return isCoded ? decoded(bytes) : Array(bytes)
    }

    private func decoded(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        var code: [Bool] = []
        for byte in bytes {
            for bit in 0..<8 {
                code.append(byte >> (7 - bit) & 1 == 1)
                guard let symbol = Self.codes[code] else { continue }
                if symbol == 256 { return nil }
                result.append(UInt8(symbol))
                code = []
            }
        }
        return code.count < 8 && !code.contains(false) ? result : nil
    }
}
