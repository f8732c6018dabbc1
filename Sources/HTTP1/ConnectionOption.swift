/// What a response says about the client's connection.
package enum ConnectionOption: Equatable, Sendable {
    /// It lives on: silence for HTTP/1.1, `Connection: keep-alive` for HTTP/1.0.
    case keepAlive
    /// `Connection: close`.
    case close
    /// It becomes a WebSocket.
    case upgrade
}
