package import Containers

/// Field lines that policies add to a head, ready to be sent: `Name: value CRLF` one after the other.
///
/// Every name and value is checked when it is added (RFC 9110 section 5.5), so that nothing which came from a
/// template or a client can end a line.
package struct FieldAdditions: ~Copyable {
    /// Bytes that additions of one head may have.
    package static let limit = 16_384

    private var lines: Buffer

    package init() {
        lines = Buffer(capacity: Self.limit)
    }

    package var span: Span<UInt8> {
        @_lifetime(borrow self)
        borrowing get { lines.span }
    }

    package var isEmpty: Bool { lines.isEmpty }

    /// Bytes that still fit.
    package var tailroom: Int { lines.tailroom }

    package mutating func removeAll() { lines.clear() }

    /// Appends a field line. False, and nothing appended, when the name is no token, the value has a byte that a
    /// field value must not have, or the additions are full.
    package mutating func append(name: Span<UInt8>, value: Span<UInt8>) -> Bool {
        guard name.count > 0, name.count + value.count + 4 <= lines.tailroom else { return false }
        for index in 0..<name.count where !ByteClass.isToken(name[index]) { return false }
        for index in 0..<value.count where !ByteClass.isFieldValue(value[index]) { return false }
        lines.append(name)
        lines.append(": ")
        lines.append(value)
        lines.append("\r\n")
        return true
    }

    /// Lets `body` append whole lines of which the gateway made every byte, or which were validated before. They must end in CRLF.
    package mutating func appendLines(_ body: (inout Buffer) -> Void) {
        body(&lines)
    }

    /// Where the first value of a field stands in `span`, nil when it was not added. `lowercase` is in lower case.
    package func value(of lowercase: Span<UInt8>) -> ByteRange? {
        var at = 0
        while let line = line(at: at) {
            if ByteClass.isName(lines.span.extracting(line.name.range), lowercase) { return line.value }
            at = line.end
        }
        return nil
    }

    /// Removes every line whose name is a spelling of `folded` (`ByteClass.folded`).
    package mutating func remove(spellingsOf folded: Span<UInt8>) {
        var at = 0
        while let line = line(at: at) {
            if ByteClass.isSpelling(lines.span.extracting(line.name.range), of: folded) {
                let rest = lines.count - line.end
                lines.moveBytes(from: line.end, to: at, count: rest)
                lines.keepFirst(at + rest)
            } else {
                at = line.end
            }
        }
    }

    /// Appends a line that was checked when it was made; false when the additions are full.
    package mutating func append(_ line: CheckedLine) -> Bool {
        append(checked: line.bytes.span)
    }

    /// Appends the bytes of one or more `CheckedLine`s, kept elsewhere; false when the additions are full.
    package mutating func append(checked bytes: Span<UInt8>) -> Bool {
        guard bytes.count <= lines.tailroom else { return false }
        lines.append(bytes)
        return true
    }

    private struct Line {
        let name: ByteRange
        let value: ByteRange
        /// Offset of the next line.
        let end: Int
    }

    /// The line that begins at an offset. Lines were checked when they were appended: a name has no colon and a value
    /// no line end.
    private func line(at start: Int) -> Line? {
        let bytes = lines.span
        var colon = start
        while colon < bytes.count && bytes[colon] != 0x3A { colon += 1 }
        var end = colon
        while end < bytes.count && bytes[end] != 0x0D { end += 1 }
        guard end + 1 < bytes.count, colon + 2 <= end else { return nil }
        return Line(
            name: ByteRange(start: start, count: colon - start),
            value: ByteRange(start: colon + 2, count: end - colon - 2), end: end + 2)
    }
}
