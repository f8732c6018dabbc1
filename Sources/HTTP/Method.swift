/// A request method. Any token is allowed; those that the gateway treats specially have a case.
package enum Method: UInt8, Sendable, CaseIterable {
    case get, head, post, put, delete, options, patch, trace, connect, query
    /// Another token; its bytes stand in the head.
    case other

    /// RFC 9110 section 9.2.2, RFC 10008: sending it twice has the effect of sending it once.
    package var isIdempotent: Bool {
        switch self {
        case .get, .head, .put, .delete, .options, .trace, .query: true
        case .post, .patch, .connect, .other: false
        }
    }
}
