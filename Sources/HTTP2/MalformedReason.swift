/// What makes a message malformed (RFC 9113 section 8.1.1).
package enum MalformedReason: UInt8, Sendable, CaseIterable {
    case none
    /// No token in lower case.
    case fieldName
    case fieldValue
    /// Unknown, repeated, of the other kind of message or behind other fields.
    case pseudoField
    case missingPseudoField
    /// Connection, Transfer-Encoding and the like.
    case connectionField
    case method, scheme, path, authority, host, status
    /// `:protocol`, or what goes with CONNECT.
    case connect
    case contentLength
    /// Content where there can be none.
    case content
    /// Trailers without END_STREAM, with pseudo-header fields, or of a tunnel.
    case trailers
    /// An interim response that ends the stream, or 101.
    case interim
}
