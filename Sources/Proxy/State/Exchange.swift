import Telemetry
import Containers
import HTTP
import HTTP1
import Middleware
import Net
import Upstream

/// One request with its response.
///
///     deciding ─▶ suspended ─▶ deciding ─┬─▶ queued ─▶ connecting ─▶ sending ─▶ receiving ─▶ finished
///                                        │               └──◀── another endpoint ──┘
///                                        └─▶ replying ─▶ finished                    └─▶ tunnel ─▶ finished
struct Exchange: ~Copyable {
    enum Phase: Equatable {
        /// The pipeline decides.
        case deciding
        /// An asynchronous middleware decides; the index is its step.
        case suspended(step: Int)
        /// Waits for a connection of the pool.
        case queued
        /// Waits for a connection to stand.
        case connecting
        /// The head is sent; the response's head has not come.
        case sending
        /// The response's head is sent on; its content flows.
        case receiving
        case tunnel
        /// A local reply is sent.
        case replying
    }

    var phase = Phase.deciding
    let downstream: SlabKey
    /// The upstream connection; `.none` without one.
    var session = SlabKey.none
    /// The worker's use of the snapshot that this exchange runs under.
    var snapshot: SlabKey
    /// The route that serves it, nil as long as none was found.
    var route: RouteState?
    var pool = SlabKey.none
    var endpoint = -1
    /// The head as received, for logs and the response phase.
    var requestBytes: Buffer?
    /// The head for the upstream; kept as long as it may have to be sent again.
    var upstreamHead: Buffer?
    var method = Method.get
    var minorVersion: UInt8 = 1
    var isWebSocket = false
    /// The client sent `Expect: 100-continue` and has not got its 100.
    var awaitsContinue = false
    var acceptsTrailers = false
    /// The client came over TLS, here or at a proxy that we trust.
    var isSecure = false
    var balanceKey: UInt64 = 0
    var bodyLimit = Int.max
    var client = IPAddress.v4(0)
    var clientPort: UInt16 = 0
    var isQueued = false

    // Request content.
    /// How it is received; `untilClose`: on a stream, which ends with it.
    var requestFraming = BodyFraming.none
    /// How it is sent to an upstream of HTTP/1.1.
    var upstreamFraming = BodyFraming.none
    var requestRest = 0
    /// The request came on a stream of HTTP/2.
    var isStreamed = false
    /// The request is a call of gRPC.
    var isCall = false
    /// `ChunkedContent` of a chunked request, or the trailers of a stream.
    var requestChunks = SlabKey.none
    var isRequestComplete = true
    var requestContentBytes = 0
    /// The driver moves the rest of the content by itself.
    var isRequestRelayed = false
    var isResponseRelayed = false

    // Response.
    var responseFraming = BodyFraming.none
    var responseRest = 0
    var responseChunks = SlabKey.none
    /// How the content goes to the client: `.chunked`, `.length`, `.untilClose` or `.none`.
    var downstreamFraming = BodyFraming.none
    var isResponseComplete = false
    var isResponseStarted = false
    /// The answer comes on a stream of HTTP/2.
    var comesOnStream = false
    /// The upstream connection may go back to the pool after this response.
    var keepsSession = true
    /// It never may: the request's credentials would be those of the next one on it.
    var bindsConnection = false
    var isStream = false
    var status = 0
    var upstreamStatus = 0
    var interims = 0
    var responseContentBytes = 0
    var sentBytes = 0

    // Attempts.
    var tried = TriedEndpoints()
    var attempts = 0
    var retries = 0
    /// Streams that an upstream did not touch.
    var refusals: UInt8 = 0
    var isRetrying = false
    var isReused = false
    var inFlight = RequestInFlight()

    // Middleware.
    /// `ChainSlots`, when the route has middleware.
    var slots = SlabKey.none
    /// Steps of the chain that saw the request.
    var entered = 0
    /// Both stand behind the head in `requestBytes`.
    var requestID = ByteRange.empty
    var identity = ByteRange.empty
    var suspended: SuspendedRequest?
    var code = ErrorCode.none

    // Times.
    let startedAt: Instant
    let startedWall: Int64
    let startedWallNanoseconds: Int64
    var queuedAt = Instant.never
    var connectingAt = Instant.never
    var connectedAt = Instant.never
    var sentAt = Instant.never
    var firstByteAt = Instant.never

    /// Where the head has the parts that logs show; only filled in while something is logged.
    var logged = LoggedHead()
    var logNames: LogNames?
    /// The answer's head as sent; only for log formats that read it.
    var responseHead: Buffer?
    /// Bytes of the request's head.
    var headBytes = 0
    var totalDeadline = Instant.never
    var suspendedUntil = Instant.never
    var wait = ExchangeWait()
    var pace = ClientPace()

    /// Sec-WebSocket-Key of the handshake: what the upstream has to prove that it read.
    var webSocketKey: InlineArray<24, UInt8>?
    /// `Tunnel` of an upgraded connection.
    var tunnel = SlabKey.none

    init(downstream: SlabKey, snapshot: SlabKey, startedAt: Instant, wall: Int64, wallNanoseconds: Int64) {
        self.downstream = downstream
        self.snapshot = snapshot
        self.startedAt = startedAt
        startedWall = wall
        startedWallNanoseconds = wallNanoseconds
    }
}

// What steps do to several fields at once stands here and not in the steps: each access through the slab looks the entry up.
extension Exchange {
    /// Copies what is needed of the parsed head.
    @inline(__always)
    mutating func note(_ head: borrowing RequestHead, isLogged: Bool) {
        method = head.method
        headBytes = head.byteCount
        if isLogged { logged = LoggedHead(head) }
        minorVersion = head.minorVersion
        isWebSocket = head.isWebSocketHandshake
        awaitsContinue = head.expectsContinue
        acceptsTrailers = head.acceptsTrailers
        requestFraming = head.framing
        upstreamFraming = head.framing
        if isStreamed {
            noteStreamContent()
            return
        }
        switch head.framing {
        case .none, .untilClose:
            isRequestComplete = true
        case .length(let count):
            isRequestComplete = count == 0
            requestRest = count
        case .chunked:
            isRequestComplete = false
        }
    }

    /// Content of a stream ends with the peer's direction; whether there is any was said with the head.
    @inline(never)
    private mutating func noteStreamContent() {
        if isWebSocket { isRequestComplete = true }
        requestFraming = isRequestComplete ? .none : .untilClose
    }

    /// A middleware took parameters out of the query, in the head's bytes themselves: the old places hold something else now.
    mutating func noteTarget(_ head: borrowing RequestHead) {
        if logged.target.count == head.target.count || logged.target.isEmpty { return }
        logged.target = head.target
        logged.query = head.query
    }

    /// Who asks. `id` stands behind the head in `requestBytes`.
    mutating func identify(_ client: IPAddress, port: UInt16, id: ByteRange) {
        self.client = client
        clientPort = port
        requestID = id
    }

    /// Takes over how much content middleware allows. False: the announced content is more, which is known before a byte of it
    /// went upstream.
    mutating func accept(bodyLimit: Int) -> Bool {
        self.bodyLimit = bodyLimit
        if case .length(let count) = upstreamFraming { return count <= bodyLimit }
        return true
    }

    /// Takes over what the final response's head says of its content, and decides how that goes to the client. Returns whether the
    /// connection ends with the answer, and whether that goes on a stream.
    ///
    /// An answer before the end of the request ends it too: what is left of that is not waited for (RFC 9112 section 9.6).
    @inline(__always)
    mutating func beginAnswer(_ head: borrowing ResponseHead) -> (endsConnection: Bool, isStreamed: Bool) {
        if comesOnStream {
            let ends = noteStreamed(head, isEnd: isResponseComplete)
            return (ends || !isRequestComplete, isStreamed)
        }
        note(head)
        let ends = planDownstreamFraming()
        return (ends || !isRequestComplete, isStreamed)
    }

    /// Takes over what the final response's head says of its content.
    @inline(__always)
    private mutating func note(_ head: borrowing ResponseHead) {
        upstreamStatus = head.status
        keepsSession = head.keepAlive
        responseFraming = head.framing
        isStream = head.isEventStream
        switch head.framing {
        case .none:
            isResponseComplete = true
        case .length(let count):
            isResponseComplete = count == 0
            responseRest = count
        case .chunked:
            break
        case .untilClose:
            keepsSession = false
        }
    }

    /// The same for an answer on a stream, whose content ends with the upstream's direction; with how content goes to the client.
    /// True: the connection ends with the answer.
    @inline(never)
    private mutating func noteStreamed(_ head: borrowing ResponseHead, isEnd: Bool) -> Bool {
        upstreamStatus = head.status
        keepsSession = false
        isStream = head.isEventStream
        responseFraming = .untilClose
        isResponseComplete = isEnd || head.framing == .none
        switch head.framing {
        case .none: downstreamFraming = .none
        case .length(0) where isEnd && isStreamed: downstreamFraming = .none
        case .length(let count): downstreamFraming = .length(count)
        case .chunked, .untilClose:
            downstreamFraming = isStreamed || minorVersion == 0 ? .untilClose : .chunked
        }
        return downstreamFraming == .untilClose
    }

    /// Decides how content goes to the client. True: the connection ends with the answer.
    @inline(__always)
    private mutating func planDownstreamFraming() -> Bool {
        switch responseFraming {
        case .none:
            downstreamFraming = .none
        case .length(let count):
            downstreamFraming = .length(count)
        case .chunked, .untilClose:
            if isStreamed {
                downstreamFraming = .untilClose
                return true
            }
            if minorVersion == 0 {
                downstreamFraming = .untilClose
                return true
            }
            downstreamFraming = .chunked
        }
        return false
    }

    /// Goes on over a connection of the pool, new or used.
    @inline(__always)
    mutating func begin(on session: SlabKey, endpoint index: Int, isReused: Bool, isStream: Bool) {
        self.session = session
        comesOnStream = isStream
        self.isReused = isReused
        phase = .sending
        if isReused {
            attempts &+= 1
            endpoint = index
        }
    }

    /// The answer is here: what it came on, and whether that may serve another request.
    @inline(__always)
    mutating func letSessionGo() -> (session: SlabKey, mayKeep: Bool) {
        let key = session
        session = .none
        inFlight.end()
        return (key, keepsSession && !bindsConnection && isRequestComplete)
    }

    /// Nothing but the head has to be sent again, and sending it twice does no harm (RFC 9110 section 9.2.2).
    var isReplayable: Bool { method.isIdempotent && requestFraming == .none && !isWebSocket }

    /// For the answer of the route's upstream.
    var responseParser: ResponseParser {
        guard let route else { return ResponseParser() }
        return route.responseParser
    }

    /// Nanoseconds that the upstream may be silent in the middle of its answer.
    var contentIdleTimeout: Int64 {
        guard let route else { return 60_000_000_000 }
        return isStream ? route.streamIdleTimeout : route.bodyIdleTimeout
    }

    /// Both sides speak when they like: that the client is silent does not make it a slow one. Calls of gRPC do so on streams;
    /// for a service of HTTP/1.1 a request is only slow, whatever it calls itself.
    var isDialogue: Bool { isCall && comesOnStream }

    /// Nanoseconds that the client of a dialogue may be silent; nil: it is none.
    var dialogueTimeout: Int64? { isDialogue ? route?.streamIdleTimeout ?? 3_600_000_000_000 : nil }

    /// The head of the answer is on its way.
    mutating func startResponse(status: Int, headCount: Int) {
        phase = .receiving
        isResponseStarted = true
        self.status = status
        sentBytes = headCount
    }

    /// What a tunnel received from its two sides.
    mutating func noteTunnel(fromClient: Int, fromUpstream: Int) {
        requestContentBytes &+= fromClient
        responseContentBytes &+= fromUpstream
        sentBytes &+= fromUpstream
    }

    /// A pattern, not `!=`: that is a call into another module.
    var hasCode: Bool {
        if case .none = code { false } else { true }
    }

    /// Nothing of the client is waited for. True: its clock runs still.
    mutating func waitForNothing() -> Bool {
        wait.reason = .nothing
        wait.deadline = .never
        return pace.isRunning
    }

    /// The client was too slow once and is not waited for again.
    var wasTooSlow: Bool {
        switch code {
        case .requestTimeout, .bodyTimeout, .bodyTooSlow: true
        default: false
        }
    }

    /// Nothing more is expected of the client, but that it reads.
    var needsNothing: Bool {
        switch phase {
        case .deciding, .connecting, .sending, .receiving, .replying: isRequestComplete
        case .queued, .suspended, .tunnel: false
        }
    }

    /// The head is sent and no answer has come.
    var isSending: Bool {
        if case .sending = phase { true } else { false }
    }

    var isReceiving: Bool {
        if case .receiving = phase { true } else { false }
    }

    /// Bytes of an answer came.
    mutating func noteAnswer(now: Instant) {
        if firstByteAt == .never { firstByteAt = now }
    }

    /// The answer's content that went out together with its head.
    mutating func noteFirstContent(_ count: Int, of rest: Int) {
        responseRest = rest &- count
        responseContentBytes = count
        isResponseComplete = rest == count
        sentBytes &+= count
    }
}
