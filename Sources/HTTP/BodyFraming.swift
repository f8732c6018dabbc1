/// How a message's content is delimited (RFC 9112 section 6.3).
package enum BodyFraming: Equatable, Sendable {
    /// No content follows the head.
    case none
    /// Exactly this many bytes follow; at most 2^63 - 1.
    case length(Int)
    /// Chunked transfer coding.
    case chunked
    /// Everything until the connection ends; responses only.
    case untilClose
}
