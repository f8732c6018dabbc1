import Containers

/// Writes field blocks (RFC 7541) with arrays: every form that a field may have, as the dice fall.
struct NaiveFieldWriter {
    private var table: [(name: String, value: String)] = []
    private var limit = 4_096
    /// A change of the table's size is to be told.
    private var owesUpdate = false

    private static let bits: [[Bool]] = {
        var bits = Array(repeating: [Bool](), count: 257)
        for (code, symbol) in NaiveHPACK.codes { bits[symbol] = code }
        return bits
    }()

    /// The decoder's side has announced its table.
    mutating func announced(_ size: Int) {
        guard min(size, 4_096) != limit else { return }
        limit = min(size, 4_096)
        owesUpdate = true
        evict()
    }

    mutating func block(_ fields: [(name: String, value: String)], _ random: inout RandomSource) -> [UInt8] {
        var block: [UInt8] = []
        if owesUpdate { block += Self.integer(limit, 5, 0x20) }
        owesUpdate = false
        for field in fields { append(field, to: &block, &random) }
        return block
    }

    private mutating func append(
        _ field: (name: String, value: String), to block: inout [UInt8], _ random: inout RandomSource
    ) {
        if let place = table.firstIndex(where: { $0 == field }), random.below(4) > 0 {
            block += Self.integer(NaiveHPACK.fixed.count + 1 + place, 7, 0x80)
            return
        }
        let line = Array("\(field.name): \(field.value)".utf8)
        if let place = NaiveHPACK.fixed.firstIndex(of: line), random.below(4) > 0 {
            block += Self.integer(place + 1, 7, 0x80)
            return
        }
        let (bits, mark) = [(4, UInt8(0)), (4, 0x10), (6, 0x40)][random.below(3)]
        var index = 0
        if let place = table.firstIndex(where: { $0.name == field.name }), random.below(2) == 0 {
            index = NaiveHPACK.fixed.count + 1 + place
        } else {
            let start = Array("\(field.name): ".utf8)
            if let place = NaiveHPACK.fixed.firstIndex(where: { $0.starts(with: start) }), random.below(2) == 0 {
                index = place + 1
            }
        }
        block += Self.integer(index, bits, mark)
        if index == 0 { block += Self.string(field.name, &random) }
        block += Self.string(field.value, &random)
        guard mark == 0x40 else { return }
        table.insert(field, at: 0)
        evict()
    }

    private mutating func evict() {
        while table.reduce(0, { $0 + $1.name.utf8.count + $1.value.utf8.count + 32 }) > limit { table.removeLast() }
    }

    private static func integer(_ value: Int, _ bits: Int, _ mark: UInt8) -> [UInt8] {
        let most = 1 << bits - 1
        if value < most { return [mark | UInt8(value)] }
        var rest = value - most
        var bytes = [mark | UInt8(most)]
        while rest >= 128 {
            bytes.append(UInt8(rest & 127) | 128)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    private static func string(_ text: String, _ random: inout RandomSource) -> [UInt8] {
        guard random.below(2) == 0 else { return integer(text.utf8.count, 7, 0) + Array(text.utf8) }
        var bits = text.utf8.flatMap { Self.bits[Int($0)] }
        while bits.count % 8 != 0 { bits.append(true) }
        let bytes = stride(from: 0, to: bits.count, by: 8).map { start in
            bits[start..<(start + 8)].reduce(UInt8(0)) { $0 << 1 | ($1 ? 1 : 0) }
        }
        return integer(bytes.count, 7, 0x80) + bytes
    }
}
