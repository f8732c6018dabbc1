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

    /// Of a line from `start` to the end of `text`, whatever the case of letters: out of its length, its first and last bytes
    /// and those behind the name. It only chooses a place.
    @inline(__always)
    static func hash(_ text: Span<UInt8>, from start: Int, nameCount: Int) -> UInt64 {
        let count = text.count &- start
        let last = ByteScan.wholeWord(text, at: max(start, text.count &- 8))
        let value = ByteScan.wholeWord(text, at: start &+ nameCount)
        var hash = ByteScan.wholeWord(text, at: start) | 0x2020_2020_2020_2020
        hash = (hash ^ UInt64(truncatingIfNeeded: count)) &* 0x9E37_79B9_7F4A_7C15
        hash = (hash ^ hash &>> 29 ^ (last | 0x2020_2020_2020_2020) ^ value &<< 13) &* 0x9E37_79B9_7F4A_7C15
        return hash &>> 40
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
        while offset &+ 8 <= count {
            guard Self.isEqual(own, text, start, offset, nameCount) else { return nil }
            offset &+= 8
        }
        if offset < count && !Self.isEqual(own, text, start, max(0, count &- 8), nameCount) { return nil }
        return age
    }

    /// Whether eight bytes, or fewer at the end, are the same but for capitals in the name.
    @inline(__always)
    private static func isEqual(
        _ own: Span<UInt8>, _ text: Span<UInt8>, _ start: Int, _ offset: Int, _ nameCount: Int
    ) -> Bool {
        let word = ByteScan.word(text, at: start &+ offset)
        let difference = ByteScan.word(own, at: offset) ^ word
        return difference == 0 || (offset < nameCount && difference == capitals(word, nameCount &- offset))
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
