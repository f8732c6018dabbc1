import Containers
import EventLoop
import Upstream

/// State of one connection to an endpoint.
///
///     connecting ─▶ busy ─▶ idle ─▶ busy …        every state ─▶ closed
///         └─▶ multiplexed
///
/// A connection that speaks HTTP/2 is `multiplexed`, and each of its streams a session of its own, which is busy until it closes.
struct UpstreamSession: ~Copyable {
    enum Phase: Equatable { case connecting, busy, idle, multiplexed }

    let socket: SocketID
    let endpoint: EndpointState
    /// The session of the connection that this one is a stream of; `.none` for connections.
    let connection: SlabKey
    /// The driver's multiplexer of a connection that speaks HTTP/2.
    var multiplexer = SlabKey.none
    /// It takes no more streams.
    var isClosing = false
    /// Streams are being given to those that wait.
    var isServing = false
    /// Whose permit this connection holds.
    let upstream: UpstreamState
    /// The worker's pool that it belongs to.
    var pool: SlabKey
    var endpointIndex: Int
    var phase = Phase.connecting
    /// The exchange that it serves (or that waits for it to connect).
    var exchange = SlabKey.none
    /// The call that it serves, when it is not an exchange.
    var call = SlabKey.none
    /// Neighbours in the pool's list of idle sessions of this endpoint.
    var newer = SlabKey.none
    var older = SlabKey.none
    let connectedAt: Instant
    /// In HTTP/2: when anything came of it last.
    var idleSince: Instant
    /// When the upstream said it would close an idle connection (Keep-Alive: timeout), else the pool's idle timeout.
    var idleLimit: Int64
    var requests = 0
    /// Bytes queued for it when its time began to run: fewer at the end of that time mean that it still reads.
    var queuedBytes = 0
    var isPaused = false
    /// TLS is spoken on it.
    let isSecure: Bool

    init(
        socket: SocketID, endpoint: EndpointState, endpointIndex: Int, upstream: UpstreamState, pool: SlabKey,
        idleLimit: Int64, now: Instant
    ) {
        self.socket = socket
        connection = .none
        self.endpoint = endpoint
        self.endpointIndex = endpointIndex
        self.upstream = upstream
        self.pool = pool
        self.idleLimit = idleLimit
        isSecure = endpoint.isSecure
        connectedAt = now
        idleSince = now
    }

    /// The session of a stream.
    init(stream socket: SocketID, of connection: borrowing UpstreamSession, _ key: SlabKey, now: Instant) {
        self.socket = socket
        self.connection = key
        endpoint = connection.endpoint
        endpointIndex = connection.endpointIndex
        upstream = connection.upstream
        pool = connection.pool
        idleLimit = connection.idleLimit
        isSecure = connection.isSecure
        connectedAt = now
        idleSince = now
    }

    var isStream: Bool { connection != .none }

    /// Serves an exchange from here on. Returns the index of its endpoint, and whether it is a stream.
    mutating func begin(_ exchange: SlabKey) -> (endpoint: Int, isStream: Bool) {
        self.exchange = exchange
        phase = .busy
        requests &+= 1
        return (endpointIndex, isStream)
    }

    /// The exchange has its answer. Returns what is asked next.
    @inline(__always)
    mutating func leaveExchange() -> (socket: SocketID, isPaused: Bool) {
        exchange = .none
        return (socket, isPaused)
    }

    /// Serves nobody any more. True: its first request in TLS is over, with which the server has said how to come back.
    mutating func end() -> Bool {
        exchange = .none
        call = .none
        return isSecure && requests == 1
    }

    /// Becomes the newest of its endpoint's idle sessions.
    mutating func becomeIdle(before older: SlabKey, now: Instant) {
        phase = .idle
        idleSince = now
        newer = .none
        self.older = older
    }

    /// Leaves the list of idle sessions: what it takes to close the gap there. Nil: it was not idle.
    mutating func leaveIdle() -> IdlePlace? {
        guard phase == .idle else { return nil }
        defer {
            newer = .none
            older = .none
            phase = .busy
        }
        return IdlePlace(pool: pool, endpointIndex: endpointIndex, newer: newer, older: older)
    }
}

/// A session's place among the idle sessions of a pool.
struct IdlePlace {
    let pool: SlabKey
    /// -1: of an endpoint that the pool does not have (any more).
    let endpointIndex: Int
    let newer: SlabKey
    let older: SlabKey
}
