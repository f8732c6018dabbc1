import Containers
import HTTP

/// A dynamic table (RFC 7541 section 2.3.2): lines as HTTP/1.1 writes them, oldest first, in one run of bytes.
///
/// A line has four bytes more than name and value, which the 32 that the RFC counts for each entry leave room for. There is no
/// memory before the first line, and little before many: most connections never fill a table.
struct DynamicTable: ~Copyable {
    /// Most that any table of ours may have.
    static let largest = 4_096
    /// Lines are moved to the front once in so many bytes.
    private static let slack = 2_048
    /// Bytes and entries that memory begins with.
    private static let firstBytes = 1_024
    private static let firstEntries = 16

    /// What the entries may count for together.
    private(set) var limit: Int
    private(set) var count = 0
    private(set) var size = 0
    private var newest = 0
    /// The wrapping offset of the first readable byte of `lines`.
    private var base: UInt16 = 0
    private var lines = Buffer(capacity: 1)
    private var entries = FixedArray<TableEntry>(capacity: 0)

    init(limit: Int) { self.limit = limit }

    /// Entries that were ever put in, wrapping: what an entry had as this count before it was put in names it for ever.
    private(set) var inserted: UInt16 = 0

    /// The entry that was put in so many entries before the newest; there must be one.
    @inline(__always)
    func entry(_ age: Int) -> TableEntry { entries[(newest &- age) & (entries.count &- 1)] }

    /// The bytes of an entry's line, or the first `count` of them.
    @inline(__always)
    @_lifetime(borrow self)
    borrowing func line(_ entry: TableEntry, first count: Int) -> Span<UInt8> {
        let start = Int(entry.start &- base)
        return lines.span.extracting(start..<(start &+ count))
    }

    mutating func setLimit(_ limit: Int) {
        self.limit = limit
        evict(for: 0)
    }

    private mutating func evict(for needed: Int) {
        var bytes = 0
        while count > 0 && size &+ needed > limit {
            let oldest = entry(count &- 1)
            size &-= oldest.size
            bytes &+= oldest.lineCount
            count &-= 1
        }
        lines.dropFirst(bytes)
        base &+= UInt16(truncatingIfNeeded: bytes)
    }

    /// Puts a line in, with its CRLF; one that is larger than the table empties it (RFC 7541 section 4.4).
    @inline(never)
    mutating func insert(_ line: Span<UInt8>, _ entry: TableEntry) {
        guard makeRoom(entry) else { return }
        lines.append(line)
    }

    /// The same for a line in two parts; the name's letters become small.
    mutating func insert(_ name: Span<UInt8>, _ value: Span<UInt8>, _ entry: TableEntry) {
        guard makeRoom(entry) else { return }
        for index in name.indices { lines.append(ByteClass.lowercased(name[index])) }
        lines.append(": ")
        lines.append(value)
        lines.append("\r\n")
    }

    @inline(__always)
    private mutating func makeRoom(_ entry: TableEntry) -> Bool {
        let needed = entry.size
        evict(for: needed)
        if needed > limit { return false }
        if count == entries.count { growEntries() }
        if lines.tailroom < entry.lineCount { makeRoom(bytes: entry.lineCount) }
        newest = (newest &+ 1) & (entries.count &- 1)
        entries[newest] = entry
        entries[newest].start = base &+ UInt16(truncatingIfNeeded: lines.count)
        count &+= 1
        size &+= needed
        inserted &+= 1
        return true
    }

    /// There are 128 entries at most: each counts for 32 bytes and more.
    @inline(never)
    private mutating func growEntries() {
        var larger = FixedArray(repeating: TableEntry(), count: max(Self.firstEntries, entries.count * 2))
        for age in 0..<count { larger[count - 1 - age] = entry(age) }
        entries = larger
        newest = count - 1
    }

    /// Lines go to the front, or into more memory if a good part of it is in use.
    @inline(never)
    private mutating func makeRoom(bytes: Int) {
        let needed = lines.count + bytes
        if 2 * needed > lines.capacity && lines.capacity < Self.largest + Self.slack {
            let capacity = min(max(Self.firstBytes, 2 * lines.capacity, 2 * needed), Self.largest + Self.slack)
            var larger = Buffer(capacity: capacity)
            larger.append(lines)
            lines = larger
        } else {
            lines.slide(headroom: 0)
        }
    }

    /// Empties the table for a line that cannot be kept and need not be known.
    mutating func removeAll() {
        let limit = limit
        setLimit(0)
        self.limit = limit
    }
}
