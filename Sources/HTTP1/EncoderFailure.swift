/// What must never be written. Every case is a fault of ours or of a rewriting rule, not of the peer.
package enum EncoderFailure: Error, Equatable {
    /// A control character, SP or DEL in a path, query or host; CR, LF or NUL in added lines.
    case unsafeBytes
    /// A framing that this message cannot have: `untilClose` of a request, chunks for an HTTP/1.0 client.
    case impossibleFraming
}
