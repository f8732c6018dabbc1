import Containers

/// Decodes field sections (RFC 7541) of one direction of a connection.
package struct FieldDecoder: ~Copyable {
    package enum Outcome: Sendable, Equatable {
        case decoded
        /// COMPRESSION_ERROR: nothing that follows could be understood.
        case broken
        /// So many or so large fields that going on for the table's sake is too much.
        case tooMuch
    }

    private var table: DynamicTable
    /// What we allow, and what holds until the peer has read that.
    private let allowed: Int
    private var maximum = DynamicTable.largest
    /// The peer has to lower its table before the next field (RFC 7541 section 4.2).
    private var awaitsUpdate = false

    package init(tableSize: Int = DynamicTable.largest) {
        allowed = min(tableSize, DynamicTable.largest)
        // Until the peer knows better, it uses the default of RFC 9113 section 6.5.2.
        table = DynamicTable(limit: DynamicTable.largest)
    }

    /// The peer has acknowledged our SETTINGS_HEADER_TABLE_SIZE.
    package mutating func settingsAcknowledged() {
        maximum = allowed
        awaitsUpdate = table.limit > maximum
    }

    /// Decodes a whole block. Whatever is wrong with its fields is in the section, and the table is kept in step.
    package mutating func decode(
        _ block: Span<UInt8>, _ tables: borrowing HPACKTables, into section: inout FieldSection
    ) -> Outcome {
        var at = 0
        var isAtStart = true
        while at < block.count {
            let first = block[at]
            if first & 0xE0 == 0x20 {
                guard isAtStart, updateSize(block, &at) else { return .broken }
                continue
            }
            if isAtStart {
                if awaitsUpdate { return .broken }
                isAtStart = false
            }
            let isKnown =
                first & 0x80 != 0
                ? indexed(block, &at, tables, &section) : literal(block, &at, first, tables, &section)
            if !isKnown { return .broken }
            if section.isAbsurd { return .tooMuch }
        }
        return .decoded
    }

    @inline(never)
    private mutating func updateSize(_ block: Span<UInt8>, _ at: inout Int) -> Bool {
        guard let limit = Self.integer(block, &at, 0x1F), limit <= maximum else { return false }
        awaitsUpdate = false
        table.setLimit(limit)
        return true
    }

    @inline(__always)
    private mutating func indexed(
        _ block: Span<UInt8>, _ at: inout Int, _ tables: borrowing HPACKTables, _ section: inout FieldSection
    ) -> Bool {
        guard let index = Self.integer(block, &at, 0x7F), index > 0 else { return false }
        let start = section.arena.count
        if index <= StaticTable.count {
            let entry = tables.fixed.entries[index]
            guard section.admit(entry) else { return true }
            let from = Int(entry.start)
            section.arena.append(tables.fixed.text.span.extracting(from..<(from &+ entry.lineCount)))
            section.accept(at: start, entry, isSensitive: false)
        } else {
            guard index &- StaticTable.count &- 1 < table.count else { return false }
            let entry = table.entry(index &- StaticTable.count &- 1)
            guard section.admit(entry) else { return true }
            section.arena.append(table.line(entry, first: entry.lineCount))
            section.accept(at: start, entry, isSensitive: false)
        }
        return true
    }

    @inline(__always)
    private mutating func literal(
        _ block: Span<UInt8>, _ at: inout Int, _ first: UInt8, _ tables: borrowing HPACKTables,
        _ section: inout FieldSection
    ) -> Bool {
        let isIndexing = first & 0x40 != 0
        guard let index = Self.integer(block, &at, isIndexing ? 0x3F : 0x0F) else { return false }
        let start = section.arena.count
        var entry: TableEntry
        if index == 0 {
            guard let isWhole = string(block, &at, tables, &section) else { return false }
            if !isWhole { return skipValue(block, &at, isIndexing, start, &section) }
            entry = TableEntry(name: section.arena.span.extracting(start..<section.arena.count))
            entry.nameCount = UInt16(truncatingIfNeeded: section.arena.count &- start)
            section.arena.append(": ")
        } else if index <= StaticTable.count {
            entry = tables.fixed.entries[index]
            let from = Int(entry.start)
            let count = Int(entry.nameCount) &+ 2
            section.arena.append(tables.fixed.text.span.extracting(from..<(from &+ count)))
        } else {
            guard index &- StaticTable.count &- 1 < table.count else { return false }
            entry = table.entry(index &- StaticTable.count &- 1)
            // A broken value was another entry's.
            entry.flags.remove(.badValue)
            section.arena.append(table.line(entry, first: Int(entry.nameCount) &+ 2))
        }
        let valueStart = section.arena.count
        guard let isWhole = string(block, &at, tables, &section) else { return false }
        if !isWhole {
            if isIndexing { table.removeAll() }
            section.refuse(at: start)
            return true
        }
        entry.valueCount = UInt16(truncatingIfNeeded: section.arena.count &- valueStart)
        if !TableEntry.isValid(value: section.arena.span.extracting(valueStart..<section.arena.count)) {
            entry.flags.insert(.badValue)
        }
        section.arena.append("\r\n")
        if isIndexing { table.insert(section.arena.span.extracting(start..<section.arena.count), entry) }
        guard section.admit(entry) else {
            section.arena.keepFirst(start)
            return true
        }
        section.accept(at: start, entry, isSensitive: first & 0xF0 == 0x10)
        return true
    }

    /// A name was too long to be kept: its value is not looked at.
    @inline(never)
    private mutating func skipValue(
        _ block: Span<UInt8>, _ at: inout Int, _ isIndexing: Bool, _ start: Int, _ section: inout FieldSection
    ) -> Bool {
        guard let count = Self.integer(block, &at, 0x7F), count <= block.count &- at else { return false }
        at &+= count
        if isIndexing { table.removeAll() }
        section.refuse(at: start)
        return true
    }

    /// Appends a string to the arena: nil when it is broken, false when it is so long that no table could keep it and no
    /// section may have it.
    @inline(__always)
    private func string(
        _ block: Span<UInt8>, _ at: inout Int, _ tables: borrowing HPACKTables, _ section: inout FieldSection
    ) -> Bool? {
        guard at < block.count else { return nil }
        let isCoded = block[at] & 0x80 != 0
        guard let count = Self.integer(block, &at, 0x7F), count <= block.count &- at else { return nil }
        let bytes = block.extracting(at..<(at &+ count))
        at &+= count
        if isCoded {
            guard HuffmanDecoder.room(count) <= section.stringRoom else { return false }
            return tables.huffman.decode(bytes, into: &section.arena) ? true : nil
        }
        guard count <= section.stringRoom else { return false }
        section.arena.append(bytes)
        return true
    }

    /// RFC 7541 section 5.1.
    @inline(__always)
    static func integer(_ block: Span<UInt8>, _ at: inout Int, _ mask: UInt8) -> Int? {
        guard at < block.count else { return nil }
        let value = block[at] & mask
        at &+= 1
        return value < mask ? Int(value) : longInteger(block, &at, Int(mask))
    }

    /// At most four bytes more, so that nothing overflows: no block is as long as what they can say.
    @inline(never)
    private static func longInteger(_ block: Span<UInt8>, _ at: inout Int, _ base: Int) -> Int? {
        var value = base
        var shift = 0
        while at < block.count && shift <= 21 {
            let byte = block[at]
            at &+= 1
            value &+= Int(byte & 0x7F) &<< shift
            if byte & 0x80 == 0 { return value }
            shift &+= 7
        }
        return nil
    }
}
