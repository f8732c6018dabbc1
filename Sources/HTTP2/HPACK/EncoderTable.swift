import Containers
import HTTP

/// The dynamic table of an encoder: lines in lower case, found by a hash.
struct EncoderTable: ~Copyable {
    private var table: DynamicTable
    /// By hash, which line has it: the count of lines that were put in up to it. What went since is not cleared, its age tells.
    private var slots = FixedArray<UInt16>(capacity: 0)
    private static let slotCount = 256
    private static var lows: UInt64 { 0x0101_0101_0101_0101 }

    init(limit: Int) { table = DynamicTable(limit: limit) }

    var limit: Int { table.limit }

    mutating func setLimit(_ limit: Int) { table.setLimit(limit) }

    /// Of a line from `start` to the end of `text`, whatever the case of letters. It only chooses a place.
    @inline(__always)
    static func hash(_ text: Span<UInt8>, from start: Int) -> UInt64 {
        let end = text.count
        var hash = UInt64(truncatingIfNeeded: end &- start)
        var at = start
        while at < end {
            let word = ByteScan.word(text, at: at) | 0x2020_2020_2020_2020
            let unused = UInt64(truncatingIfNeeded: max(0, 8 &- (end &- at)) &* 8)
            hash = (hash ^ word &<< unused) &* 0x9E37_79B9_7F4A_7C15
            hash ^= hash &>> 32
            at &+= 8
        }
        return hash
    }

    /// How many entries before the newest the line stands, nil when it is not there. The name may have capitals.
    @inline(__always)
    func find(_ text: Span<UInt8>, from start: Int, nameCount: Int, _ hash: UInt64) -> Int? {
        guard slots.count > 0 else { return nil }
        let age = Int(table.inserted &- slots[Int(truncatingIfNeeded: hash & 255)])
        guard age < table.count else { return nil }
        let entry = table.entry(age)
        let count = text.count &- start
        guard entry.lineCount &- 2 == count, Int(entry.nameCount) == nameCount else { return nil }
        let own = table.line(entry, first: count)
        var offset = 0
        while offset < count {
            let word = ByteScan.word(text, at: start &+ offset)
            let difference = ByteScan.word(own, at: offset) ^ word
            if difference != 0 && (offset >= nameCount || difference != Self.capitals(word, nameCount &- offset)) {
                return nil
            }
            offset &+= 8
        }
        return age
    }

    /// Bit 5 of each capital letter among the first `count` bytes of a word.
    @inline(__always)
    private static func capitals(_ word: UInt64, _ count: Int) -> UInt64 {
        let low = word & (lows &* 0x7F)
        let marks = (low &+ lows &* (0x80 - 0x41)) & ~(low &+ lows &* (0x80 - 0x5B)) & ~word & (lows &* 0x80)
        let name = count >= 8 ? ~0 : (1 &<< UInt64(truncatingIfNeeded: 8 &* count)) &- 1
        return marks &>> 2 & name
    }

    /// Puts a line in; `hash` is that of its bytes.
    mutating func insert(_ name: Span<UInt8>, _ value: Span<UInt8>, _ hash: UInt64) {
        if slots.count == 0 { slots = FixedArray(repeating: 0, count: Self.slotCount) }
        var entry = TableEntry()
        entry.nameCount = UInt16(truncatingIfNeeded: name.count)
        entry.valueCount = UInt16(truncatingIfNeeded: value.count)
        table.insert(name, value, entry)
        slots[Int(truncatingIfNeeded: hash & 255)] = table.inserted
    }
}
