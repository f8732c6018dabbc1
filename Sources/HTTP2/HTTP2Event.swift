package import HTTP

/// What came of received bytes; one is pulled at a time.
package enum HTTP2Event: Sendable, Equatable {
    /// More bytes are needed.
    case none
    /// There is no room for answers: the output has to be written first.
    case outputFull
    /// The peer's settings came, or new ones.
    case settingsChanged
    /// The section has the head of a request; `end`: it has no content.
    case request(stream: UInt32, end: Bool)
    /// A well-formed request that must not be served: to be answered with this code. The section has its head, as far as that
    /// goes.
    case refused(stream: UInt32, ErrorCode, end: Bool)
    /// The section has the head of a final response.
    case response(stream: UInt32, end: Bool)
    /// The section has the head of an interim response.
    case interim(stream: UInt32)
    /// The section has the trailers, and the message is complete.
    case trailers(stream: UInt32)
    /// Content: a range of the received bytes. Every byte of it has to be given back with `consumed`.
    case data(stream: UInt32, ByteRange, end: Bool)
    /// The stream is gone: by the peer's RST_STREAM or GOAWAY, or by ours for something that the peer did.
    case reset(stream: UInt32, code: UInt32, isByPeer: Bool)
    /// A malformed message; its stream was reset.
    case malformed(stream: UInt32, MalformedReason)
    /// There is more window to send in; 0: of the connection.
    case windowOpened(stream: UInt32)
    /// The peer opens no more streams and serves those up to `last` alone.
    case goAway(last: UInt32, code: UInt32)
    /// The peer has seen our PING.
    case pong(UInt64)
    /// The connection is over; a GOAWAY was written.
    case failed(HTTP2Error, FailureReason)
}
