import HTTP

/// Bounds of a response head; beyond any of them: `responseHeadersTooLarge`.
package struct ResponseLimits: Sendable, Equatable {
    /// Bytes of the whole head with its empty line, and so of any line of it.
    package var headBytes: Int
    /// Field lines. At most `ResponseHead.fieldsLimit`.
    package var fields: Int

    package init(headBytes: Int = 65_536, fields: Int = 256) {
        self.headBytes = headBytes
        self.fields = min(fields, ResponseHead.fieldsLimit)
    }
}
