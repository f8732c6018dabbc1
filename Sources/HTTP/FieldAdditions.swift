private import Containers

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
}
