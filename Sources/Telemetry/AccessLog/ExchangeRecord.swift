private import Containers
package import HTTP
package import Net

/// What one exchange came to: filled in while it runs, read once when it is over. Plain values; the texts it points to
/// are in `ExchangeTexts`.
package struct ExchangeRecord: Sendable {
    /// Wall clock when the request began: seconds since 1970, and nanoseconds behind them.
    package var startSeconds: Int64 = 0
    package var startNanoseconds: Int64 = 0
    /// Nanoseconds spent waiting for a connection of the pool; negative: no waiting.
    package var queue: Int64 = -1
    /// Nanoseconds spent connecting; negative: no new connection was made.
    package var connect: Int64 = -1
    /// Nanoseconds from the start to the first byte of the upstream's answer; negative: there was none.
    package var firstByte: Int64 = -1
    /// Nanoseconds from the start to the end.
    package var total: Int64 = 0

    /// Of the answer that the client got; 0: it got none.
    package var status = 0
    /// Why the gateway answered itself or gave up; `none` when all went well.
    package var code = ErrorCode.none
    /// Body bytes from the client, without framing.
    package var bodyReceived = 0
    /// Body bytes to the client, without framing.
    package var bodySent = 0
    /// Bytes from and to the client with heads and framing.
    package var totalReceived = 0
    package var totalSent = 0
    /// Of the upstream's last answer; 0: there was none.
    package var upstreamStatus = 0
    /// Times that the request was given to an endpoint.
    package var attempts = 0
    /// The last attempt used a connection that had served before.
    package var isReused = false

    package var client = IPAddress.v4(0)
    package var clientPort: UInt16 = 0

    /// Where the request's head has what lines show.
    package var head = LoggedHead()

    package init() {}
}

/// The texts of one exchange, lent while its line is written.
package struct ExchangeTexts: ~Escapable {
    /// The request's head as received (what arrived of it).
    package let head: Span<UInt8>
    /// The final response's head; only read by formats that say `needsResponseFields`, else it may be empty.
    package let responseHead: Span<UInt8>
    package let requestID: Span<UInt8>
    package let route: Span<UInt8>
    package let upstream: Span<UInt8>
    package let endpoint: Span<UInt8>
    package let identity: Span<UInt8>

    @_lifetime(
        copy head, copy responseHead, copy requestID, copy route, copy upstream, copy endpoint, copy identity
    )
    package init(
        head: Span<UInt8>, responseHead: Span<UInt8>, requestID: Span<UInt8>, route: Span<UInt8>,
        upstream: Span<UInt8>, endpoint: Span<UInt8>, identity: Span<UInt8>
    ) {
        self.head = head
        self.responseHead = responseHead
        self.requestID = requestID
        self.route = route
        self.upstream = upstream
        self.endpoint = endpoint
        self.identity = identity
    }
}
