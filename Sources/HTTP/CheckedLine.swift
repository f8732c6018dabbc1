/// A field line of the configuration, checked once and ready to be sent.
package struct CheckedLine: Sendable {
    /// `Name: value CRLF`.
    package let bytes: [UInt8]

    /// Nil when the name is no token or the value has a byte that a field value must not have.
    package init?(name: String, value: [UInt8]) {
        guard !name.isEmpty, name.utf8.allSatisfy(ByteClass.isToken), value.allSatisfy(ByteClass.isFieldValue) else {
            return nil
        }
        bytes = Array(name.utf8) + [0x3A, 0x20] + value + [0x0D, 0x0A]
    }
}
