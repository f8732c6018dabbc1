package import Containers
import HTTP

/// Encodes field sections (RFC 7541) of one direction of a connection.
///
/// Strings are sent as they are: Huffman coding would cost more time than the bytes it saves are worth behind a proxy.
package struct FieldEncoder: ~Copyable {
    private var table = EncoderTable(limit: DynamicTable.largest)
    /// What the peer's SETTINGS_HEADER_TABLE_SIZE became since the last block: the least of it, and the last.
    private var leastLimit = Int.max
    private var newLimit = DynamicTable.largest

    package init() {}

    /// The peer's table may be so large (RFC 7541 section 4.2); larger than ours it need not be.
    package mutating func setPeerLimit(_ limit: Int) {
        newLimit = min(limit, DynamicTable.largest)
        leastLimit = min(leastLimit, newLimit)
    }

    /// Tailroom with which a section of these bytes, lines as HTTP/1.1 writes them, can surely be encoded.
    package static func bytesNeeded(_ bytes: Int, fields: Int) -> Int { bytes &+ 8 &* fields &+ 128 }

    /// Begins a block: first come changes of the table's size.
    @inline(__always)
    package mutating func begin(_ output: inout Buffer) {
        if leastLimit < table.limit || newLimit != table.limit { updateSize(&output) }
    }

    @inline(never)
    private mutating func updateSize(_ output: inout Buffer) {
        if leastLimit < min(newLimit, table.limit) { Self.append(leastLimit, flags: 0x20, mask: 0x1F, to: &output) }
        Self.append(newLimit, flags: 0x20, mask: 0x1F, to: &output)
        table.setLimit(min(leastLimit, table.limit))
        table.setLimit(newLimit)
        leastLimit = .max
    }

    /// `:status`.
    @inline(__always)
    mutating func append(status: Int, to output: inout Buffer) {
        switch status {
        case 200: output.append(0x88)
        case 204: output.append(0x89)
        case 206: output.append(0x8A)
        case 304: output.append(0x8B)
        case 400: output.append(0x8C)
        case 404: output.append(0x8D)
        case 500: output.append(0x8E)
        default:
            output.append(0x08)
            output.append(3)
            output.append(decimal: status)
        }
    }

    /// A field by the index of its name in the static table, in no table.
    mutating func append(name index: Int, value: Span<UInt8>, to output: inout Buffer) {
        Self.append(index, flags: 0, mask: 0x0F, to: &output)
        Self.append(value.count, flags: 0, mask: 0x7F, to: &output)
        output.append(value)
    }

    /// A field that no table has, in none.
    func append(literal name: StaticString, _ value: StaticString, to output: inout Buffer) {
        output.append(0)
        output.append(UInt8(truncatingIfNeeded: name.utf8CodeUnitCount))
        output.append(name)
        output.append(UInt8(truncatingIfNeeded: value.utf8CodeUnitCount))
        output.append(value)
    }

    @inline(__always)
    static func append(contentLength length: Int, to output: inout Buffer) {
        output.append(0x0F)
        output.append(13)
        let start = output.count
        output.append(0)
        output.append(decimal: length)
        output[start] = UInt8(truncatingIfNeeded: output.count &- start &- 1)
    }

    /// `:authority`: the same for nearly all requests of a connection.
    mutating func append(authority value: Span<UInt8>, to output: inout Buffer) {
        append(name: 1, ":authority: ", value, to: &output)
    }

    /// A Date of our own: the same for a second.
    mutating func append(date value: Span<UInt8>, _ tables: borrowing HPACKTables, to output: inout Buffer) {
        append(name: tables.fixed.index(of: .date), "date: ", value, to: &output)
    }

    /// A field by its name's index in the static table, with indexing.
    private mutating func append(
        name index: Int, _ name: StaticString, _ value: Span<UInt8>, to output: inout Buffer
    ) {
        let nameCount = name.utf8CodeUnitCount &- 2
        // The line is written behind the block for as long as it is looked up and kept.
        let start = output.count
        output.append(name)
        output.append(value)
        let hash = EncoderTable.hash(output.span, from: start, nameCount: nameCount)
        let age = table.find(output.span, from: start, nameCount: nameCount, hash)
        let isIndexed = age == nil && output.count &- start &+ 30 <= table.limit / 4
        if isIndexed {
            table.insert(output.span.extracting(start..<(start &+ nameCount)), value, hash)
        }
        output.keepFirst(start)
        if let age {
            Self.append(StaticTable.count &+ 1 &+ age, flags: 0x80, mask: 0x7F, to: &output)
            return
        }
        Self.append(index, flags: isIndexed ? 0x40 : 0, mask: isIndexed ? 0x3F : 0x0F, to: &output)
        Self.append(value.count, flags: 0, mask: 0x7F, to: &output)
        output.append(value)
    }

    /// The lines that are not removed.
    @inline(__always)
    mutating func append(
        _ lines: borrowing FixedArray<FieldLine>, of bytes: Span<UInt8>, _ tables: borrowing HPACKTables,
        to output: inout Buffer
    ) {
        for index in 0..<lines.count where !lines[index].isRemoved {
            append(lines[index], of: bytes, tables, to: &output)
        }
    }

    /// Whole lines, `Name: value CRLF` each; what is no line ends them.
    package mutating func append(additions: Span<UInt8>, _ tables: borrowing HPACKTables, to output: inout Buffer) {
        var at = 0
        while at < additions.count {
            let colon = ByteScan.fieldNameEnd(additions, from: at)
            let end = ByteScan.fieldValueEnd(additions, from: colon)
            guard end &+ 1 < additions.count, colon &+ 2 <= end, colon > at else { return }
            let name = ByteRange(start: at, count: colon &- at)
            let value = Self.trimmed(colon &+ 2..<end, of: additions)
            let line = FieldLine(
                name: name, value: ByteRange(start: value.lowerBound, count: value.count),
                known: KnownField.recognise(additions.extracting(name.range)),
                isNormal: value.lowerBound == colon &+ 2)
            append(line, of: additions, tables, to: &output)
            at = end &+ 2
        }
    }

    /// RFC 9113 section 8.2.1: a value has no white space around it. Templates whose variables are empty may leave some.
    private static func trimmed(_ value: Range<Int>, of bytes: Span<UInt8>) -> Range<Int> {
        var start = value.lowerBound
        var end = value.upperBound
        while end > start && (bytes[end &- 1] == 0x20 || bytes[end &- 1] == 0x09) { end &-= 1 }
        while start < end && (bytes[start] == 0x20 || bytes[start] == 0x09) { start &+= 1 }
        return start..<end
    }

    @inline(__always)
    mutating func append(
        _ line: FieldLine, of bytes: Span<UInt8>, _ tables: borrowing HPACKTables, to output: inout Buffer
    ) {
        if EncodedFields.isSpecial(line.known) || line.isSensitive || !line.isNormal {
            appendSpecial(line, of: bytes, tables, to: &output)
            return
        }
        let text = bytes.extracting(0..<line.value.upper)
        let hash = EncoderTable.hash(text, from: line.name.lower, nameCount: Int(line.name.count))
        if let age = table.find(text, from: line.name.lower, nameCount: Int(line.name.count), hash) {
            Self.append(StaticTable.count &+ 1 &+ age, flags: 0x80, mask: 0x7F, to: &output)
            return
        }
        appendNew(line, of: bytes, hash, tables, to: &output)
    }

    /// A line that is not in the table yet.
    @inline(never)
    private mutating func appendNew(
        _ line: FieldLine, of bytes: Span<UInt8>, _ hash: UInt64, _ tables: borrowing HPACKTables,
        to output: inout Buffer
    ) {
        let size = Int(line.name.count) &+ Int(line.value.count) &+ 32
        let name = bytes.extracting(line.name.range)
        let isSecret = line.known == .other && EncodedFields.soundsSecret(name)
        let isIndexed = !isSecret && size <= table.limit / 4
        appendLiteral(line, of: bytes, flags: isIndexed ? 0x40 : isSecret ? 0x10 : 0, tables, to: &output)
        if isIndexed { table.insert(name, bytes.extracting(line.value.range), hash) }
    }

    /// A line that no table may have, or that is not sent at all.
    @inline(never)
    private mutating func appendSpecial(
        _ line: FieldLine, of bytes: Span<UInt8>, _ tables: borrowing HPACKTables, to output: inout Buffer
    ) {
        if EncodedFields.isForConnection(line.known) { return }
        let isSecret = line.isSensitive || EncodedFields.isSecret(line.known)
        appendLiteral(line, of: bytes, flags: isSecret ? 0x10 : 0, tables, to: &output)
    }

    @inline(__always)
    private func appendLiteral(
        _ line: FieldLine, of bytes: Span<UInt8>, flags: UInt8, _ tables: borrowing HPACKTables,
        to output: inout Buffer
    ) {
        let index = tables.fixed.index(of: line.known)
        Self.append(index, flags: flags, mask: flags == 0x40 ? 0x3F : 0x0F, to: &output)
        if index == 0 {
            Self.append(Int(line.name.count), flags: 0, mask: 0x7F, to: &output)
            for offset in line.name.range { output.append(ByteClass.lowercased(bytes[offset])) }
        }
        Self.append(Int(line.value.count), flags: 0, mask: 0x7F, to: &output)
        output.append(bytes.extracting(line.value.range))
    }

    /// RFC 7541 section 5.1.
    @inline(__always)
    static func append(_ value: Int, flags: UInt8, mask: UInt8, to output: inout Buffer) {
        if value < Int(mask) {
            output.append(flags | UInt8(truncatingIfNeeded: value))
        } else {
            appendLong(value &- Int(mask), flags | mask, to: &output)
        }
    }

    @inline(never)
    private static func appendLong(_ rest: Int, _ first: UInt8, to output: inout Buffer) {
        output.append(first)
        var rest = rest
        while rest >= 128 {
            output.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest &>>= 7
        }
        output.append(UInt8(truncatingIfNeeded: rest))
    }
}
