import Containers
import EventLoop
import Middleware
import Net

/// State of one client connection.
///
///     proxyHeader ─▶ handshake ─▶ waiting ─▶ head ─▶ exchange ─┬─▶ waiting        (keep-alive)
///                                    ▲                         ├─▶ tunnel ─▶ closed
///                                    └───── pipelined bytes ───┤
///                                                              └─▶ lingering ─▶ closed
///
/// In HTTP/2 a connection is `multiplexed` and each stream a session of its own, which begins with its only exchange.
struct DownstreamSession: ~Copyable {
    enum Phase: Equatable {
        /// A PROXY protocol header has to come first.
        case proxyHeader
        /// The TLS of a listener that has it is not agreed on.
        case handshake
        /// No byte of a request is here.
        case waiting
        /// A part of a head is here.
        case head
        case exchange
        case tunnel
        /// HTTP/2 is spoken; requests come on streams, whose sessions name this one as theirs.
        case multiplexed
        /// Our answer is out and our direction closed; what still comes is thrown away until the peer closes too.
        case lingering
    }

    let socket: SocketID
    let listener: ListenerState
    /// The session of the connection that this one is a stream of; `.none` for connections.
    let connection: SlabKey
    /// The driver's multiplexer of a connection that speaks HTTP/2.
    var multiplexer = SlabKey.none
    var phase: Phase
    /// The running exchange; `.none` without one.
    var exchange = SlabKey.none
    /// Whom we talk to: the peer, or whom a PROXY header names. Unspecified behind a Unix socket: nobody knows.
    var client: IPAddress
    var clientPort: UInt16
    /// Port of the socket that accepted it, or the one that a PROXY header names; 0 for a Unix socket.
    var localPort: UInt16
    /// `client` as text, for the forwarding fields of every request.
    var clientText: AddressText
    /// The peer is one of `trusted_proxies`.
    var isTrusted: Bool
    /// Requests come in TLS that ends here.
    var isSecure = false
    /// Of the listener.
    private let httpsPort: Int
    /// What is known of that TLS, for variables.
    var secure: SecureConnection?
    /// Number of the policy that the client was held to.
    var policyNumber = 0
    /// Bytes behind what was consumed so far: request content or pipelined requests.
    var pending: Buffer?
    /// Bytes of an incomplete head at the last look at it.
    var lookedAt = 0
    /// When the first byte of the current head came; also when the connection last became idle.
    var since: Instant
    var requests = 0
    /// From then on the next answer is the last one.
    var expiresAt = Instant.never
    /// The client ended its direction.
    var sawEnd = false
    /// Nothing more is read after the current answer.
    var closes = false
    var isPaused = false
    var isRunnable = false
    var isSlow = false
    /// Counts among the connections of its client.
    var isCountedForClient = false
    /// Bytes thrown away while lingering.
    var lingered = 0

    init(
        socket: SocketID, listener: ListenerState, phase: Phase, client: IPAddress, port: UInt16,
        localPort: UInt16, isTrusted: Bool, now: Instant
    ) {
        self.socket = socket
        self.listener = listener
        connection = .none
        self.phase = phase
        self.client = client
        clientPort = port
        clientText = AddressText(client)
        self.localPort = localPort
        httpsPort = listener.httpsPort
        self.isTrusted = isTrusted
        since = now
    }

    /// The session of a stream.
    init(stream socket: SocketID, of connection: borrowing DownstreamSession, _ key: SlabKey, now: Instant) {
        self.socket = socket
        listener = connection.listener
        self.connection = key
        phase = .waiting
        client = connection.client
        clientPort = connection.clientPort
        clientText = connection.clientText
        localPort = connection.localPort
        httpsPort = connection.httpsPort
        isTrusted = connection.isTrusted
        isSecure = connection.isSecure
        secure = connection.secure
        policyNumber = connection.policyNumber
        since = now
        // A stream has one exchange.
        closes = true
    }

    var isStream: Bool { connection != .none }

    /// Bytes that wait for their request's turn.
    var pendingBytes: Int { pending == nil ? 0 : BufferPool.messageBytes }

    /// A request has begun. Its answer is the last one if the connection is old or has had its number.
    mutating func begin(_ exchange: SlabKey, now: Instant) {
        phase = .exchange
        self.exchange = exchange
        requests &+= 1
        if requests >= listener.requestsLimit || now >= expiresAt { closes = true }
    }

    var arrival: DownstreamArrival {
        DownstreamArrival(isTrusted: isTrusted, isSecure: isSecure, httpsPort: httpsPort)
    }

    var origin: DownstreamOrigin {
        DownstreamOrigin(
            client: client, clientPort: clientPort, text: clientText, localPort: localPort, isTrusted: isTrusted,
            isSecure: isSecure)
    }

    /// The answer is with the kernel and the connection stays. Returns how long it may wait for the next request.
    mutating func awaitRequest(now: Instant) -> Int64 {
        phase = .waiting
        lookedAt = 0
        since = now
        return listener.keepAliveTimeout
    }
}

/// What is looked at first when a request is decided upon: copied out in one look at the session.
struct DownstreamArrival {
    let isTrusted: Bool
    let isSecure: Bool
    let httpsPort: Int
}

/// The other end of a client connection, as its requests' fields name it: copied out in one look at the session.
struct DownstreamOrigin {
    let client: IPAddress
    let clientPort: UInt16
    let text: AddressText
    let localPort: UInt16
    let isTrusted: Bool
    let isSecure: Bool
}
