import Containers
import HTTP
import HTTP1
import Upstream

/// A call of a client of our own, on the worker that runs it. It uses the pools exactly as an exchange does.
///
///     queued ─▶ connecting ─▶ sending ─▶ receiving ─▶ (over)
///        ▲          └──◀── another endpoint ─┘
///        └─ no permit
///
/// Its deadlines stand in a wheel of their own, by the call's place: the earlier of the phase's and the whole call's.
struct ClientCall: ~Copyable {
    enum Phase: Equatable {
        /// Waits for a connection of the pool.
        case queued
        /// Waits for a connection to stand.
        case connecting
        /// The head is sent; the response's head has not come.
        case sending
        /// The response's head was delivered; its content flows.
        case receiving
    }

    let request: ClientCallRequest
    let timeouts: CallTimeouts
    var phase = Phase.queued
    var pool: SlabKey
    /// The upstream connection; `.none` without one.
    var session = SlabKey.none
    var endpoint = -1
    let balanceKey: UInt64

    // Attempts.
    var tried = TriedEndpoints()
    var attempts = 0
    var retries = 0
    var isRetrying = false
    var isReused = false
    var inFlight = RequestInFlight()
    var isQueued = false
    /// What the last attempt met.
    var code = ErrorCode.none

    // Request content.
    var isRequestComplete = false
    /// All content was handed over before the head was sent.
    var isContentOver = false
    /// Bytes of a declared length that have not come yet.
    var requestRest = 0
    /// Bytes queued at the last look: fewer mean progress.
    var queuedBytes = 0

    // Response.
    var framing = BodyFraming.none
    var rest = 0
    var decoder = ChunkedDecoder()
    var trailers = TrailerSection()
    var hasFirstByte = false
    var interims = 0
    var keepsSession = true

    var phaseDeadline = Instant.never
    var totalDeadline = Instant.never

    init(_ request: ClientCallRequest, pool: SlabKey, timeouts: CallTimeouts, balanceKey: UInt64) {
        self.request = request
        self.pool = pool
        self.timeouts = timeouts
        self.balanceKey = balanceKey
    }
}

/// Who waits for a connection of a pool.
enum PoolWaiter {
    case exchange(SlabKey)
    case call(SlabKey)
}
