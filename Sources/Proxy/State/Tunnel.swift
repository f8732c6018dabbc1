import Containers
import EventLoop
import WebSocket

/// The two directions of an upgraded connection. In a slab of its own, because few exchanges become tunnels and those that do pass
/// far more bytes than heads.
///
/// The sockets of both sides carry the tunnel's number while it lives, and it knows both: a message costs one look at the tunnel and
/// none at the sessions and the exchange.
struct Tunnel {
    /// One of the two sides.
    struct Side {
        let socket: SocketID
        let session: SlabKey
        /// Bytes that came from this side.
        fileprivate(set) var received = 0

        init(socket: SocketID, session: SlabKey) {
            self.socket = socket
            self.session = session
        }
    }

    let exchange: SlabKey
    private(set) var client: Side
    private(set) var upstream: Side
    private(set) var fromClient: WebSocketFrameScanner
    private(set) var fromUpstream: WebSocketFrameScanner
    private let idleTimeout: Int64
    private let pingInterval: Int64
    private var lastActivity: Instant
    /// Bytes that waited for slow peers when the tunnel was last looked at.
    private var unsent = 0
    private var pingedAt: Instant
    /// We sent a close frame; the tunnel ends when the peers have, or at the deadline.
    private(set) var isClosing = false
    var closeAt = Instant.never
    /// Close with 1001 at this time (draining).
    var drainAt = Instant.never
    var clientEnded = false
    var upstreamEnded = false

    init(
        exchange: SlabKey, client: Side, upstream: Side, messageLimit: Int, idleTimeout: Int64, pingInterval: Int64,
        now: Instant
    ) {
        self.exchange = exchange
        self.client = client
        self.upstream = upstream
        fromClient = WebSocketFrameScanner(direction: .fromClient, messageLimit: messageLimit, allowsCompression: true)
        fromUpstream = WebSocketFrameScanner(
            direction: .fromServer, messageLimit: messageLimit, allowsCompression: true)
        self.idleTimeout = idleTimeout
        self.pingInterval = pingInterval
        lastActivity = now
        pingedAt = now
    }

    /// Follows bytes that `source` received. Returns where they go: nil when we are closing, or when the socket is none of the tunnel's;
    /// they are thrown away then.
    @inline(__always)
    mutating func follow(
        fromClient bytes: Span<UInt8>, source: SocketID, now: Instant
    ) throws(WebSocketFailure) -> SocketID? {
        guard !isClosing, source == client.socket else { return nil }
        lastActivity = now
        client.received &+= bytes.count
        _ = try fromClient.scan(bytes)
        return upstream.socket
    }

    @inline(__always)
    mutating func follow(
        fromUpstream bytes: Span<UInt8>, source: SocketID, now: Instant
    ) throws(WebSocketFailure) -> SocketID? {
        guard !isClosing, source == upstream.socket else { return nil }
        lastActivity = now
        upstream.received &+= bytes.count
        _ = try fromUpstream.scan(bytes)
        return client.socket
    }

    /// When something has to be done.
    var deadline: Instant {
        // Silence is no reason to hurry peers that have just been told of it.
        if isClosing { return closeAt }
        return min(min(closeAt, drainAt), min(lastActivity.advanced(by: idleTimeout), nextPing))
    }

    /// - Parameter unsent: bytes that wait for the peers. One that takes them slowly is not silent, though nothing more is received.
    mutating func isIdle(now: Instant, unsent: Int) -> Bool {
        guard !isClosing, lastActivity.advanced(by: idleTimeout) <= now else { return false }
        guard unsent > 0, unsent != self.unsent else { return true }
        self.unsent = unsent
        lastActivity = now
        return false
    }

    /// Whether a ping is due; it counts as sent.
    mutating func takePing(now: Instant) -> Bool {
        guard !isClosing, nextPing <= now else { return false }
        pingedAt = now
        return true
    }

    private var nextPing: Instant {
        // A side that has ended is not asked whether it lives.
        pingInterval == .max || clientEnded || upstreamEnded
            ? .never : max(pingedAt, lastActivity).advanced(by: pingInterval)
    }

    /// We end it. False: that had begun.
    mutating func close(at deadline: Instant) -> Bool {
        guard !isClosing else { return false }
        isClosing = true
        closeAt = deadline
        return true
    }

    /// A frame of our own may go to the client, whose direction ends with the upstream's.
    var mayWriteToClient: Bool { fromUpstream.isAtBorder && !fromUpstream.isClosed && !upstreamEnded }
    /// A frame of our own may go to the upstream.
    var mayWriteToUpstream: Bool { fromClient.isAtBorder && !fromClient.isClosed && !clientEnded }
}
