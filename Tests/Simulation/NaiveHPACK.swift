import HTTP2

/// RFC 7541 with arrays, bit by bit.
package struct NaiveHPACK: Sendable {
    private var table: [[UInt8]] = []
    private var names: [Int] = []
    private var limit = 4_096
    /// Of the table, as the decoder's side has announced and the encoder's has acknowledged it.
    private var most = 4_096
    /// The encoder has to say that it makes its table smaller, before anything else.
    private var owesUpdate = false

    package init() {}

    static let fixed: [[UInt8]] = {
        let text = StaticTable.lines.description
        return text.split(separator: "\r\n").map { Array("\($0)".utf8) }
    }()

    static let codes: [[Bool]: Int] = {
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
    package mutating func decode(_ block: [UInt8]) -> [UInt8]? {
        var rest = block[...]
        var lines: [UInt8] = []
        var hasFields = false
        while let first = rest.first {
            if first & 0xE0 == 0x20 {
                guard !hasFields, let size = integer(&rest, 5), size <= most else { return nil }
                limit = size
                owesUpdate = false
                evict()
                continue
            }
            if owesUpdate { return nil }
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

    /// The encoder's side has acknowledged that the table may have so many bytes.
    mutating func announced(_ size: Int) {
        most = size
        if size < limit { owesUpdate = true }
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
