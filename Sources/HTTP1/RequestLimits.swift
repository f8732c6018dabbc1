import HTTP

/// Bounds of a request head. Every one of them is checked on each byte that arrives, not only on whole heads.
package struct RequestLimits: Sendable, Equatable {
    /// Bytes of the request target; beyond: `uriTooLong`.
    package var targetBytes = 8_192
    /// Bytes of one field line without its CRLF; beyond: `headersTooLarge`.
    package var fieldBytes = 8_192
    /// Bytes of the whole head with its empty line; beyond: `headersTooLarge`.
    package var headBytes = 32_768
    /// Field lines; beyond: `headersTooLarge`. At most `RequestHead.fieldsCapacity`.
    package var fields = 100

    package init() {}

    package init(targetBytes: Int = 8_192, fieldBytes: Int = 8_192, headBytes: Int = 32_768, fields: Int = 100) {
        self.targetBytes = targetBytes
        self.fieldBytes = fieldBytes
        self.headBytes = headBytes
        self.fields = min(fields, RequestHead.fieldsCapacity)
    }

    /// Bytes of a method; a longer one is no request of anybody.
    static let methodBytes = 64
    /// Empty lines before a request line that are skipped (RFC 9112 section 2.2).
    static let emptyLines = 2
    /// Elements of all `Connection` (or `Upgrade`, `TE`) lines together, the empty ones too.
    static let listElements = 64
}
