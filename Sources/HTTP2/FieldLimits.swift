import HTTP

/// Bounds of one decoded field section. What exceeds them is refused, not broken: the tables stay in step.
package struct FieldLimits: Sendable, Equatable {
    /// Fields, pseudo-header fields and each crumb of a cookie too.
    package var fields: Int
    /// Names and values with 32 bytes for each field (RFC 9113 section 6.5.2).
    package var bytes: Int
    /// Name and value of one field.
    package var fieldBytes: Int
    /// The value of `:path`; beyond: `uriTooLong`.
    package var targetBytes: Int
    package var trailerFields: Int
    package var trailerBytes: Int

    /// Fields that no configuration may exceed.
    package static let mostFields = RequestHead.fieldsLimit
    /// Bytes that no configuration may exceed.
    package static let mostBytes = 65_536

    package init(
        fields: Int = 128, bytes: Int = 65_536, fieldBytes: Int = 8_192, targetBytes: Int = 8_192,
        trailerFields: Int = 32, trailerBytes: Int = 8_192
    ) {
        self.fields = min(fields, Self.mostFields)
        self.bytes = min(bytes, Self.mostBytes)
        self.fieldBytes = fieldBytes
        self.targetBytes = targetBytes
        self.trailerFields = min(trailerFields, self.fields)
        self.trailerBytes = min(trailerBytes, self.bytes)
    }
}
