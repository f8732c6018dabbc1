/// Codes of close frames that the gateway itself sends (RFC 6455 section 7.4.1).
package enum WebSocketCloseCode: UInt16, Sendable {
    case normal = 1_000
    /// The gateway is draining.
    case goingAway = 1_001
    /// A peer broke the framing.
    case protocolError = 1_002
    /// A message is larger than the route allows.
    case messageTooBig = 1_009
    /// The other side of the tunnel failed.
    case internalError = 1_011
    /// The gateway restarts; come again.
    case serviceRestart = 1_012
}
