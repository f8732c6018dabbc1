import Containers
import WebSocket

/// The two directions of an upgraded connection. In a slab of its own, because few exchanges become tunnels and those that do pass
/// far more bytes than heads.
struct Tunnel {
    private(set) var fromClient: WebSocketFrameScanner
    private(set) var fromUpstream: WebSocketFrameScanner
    private let idleTimeout: Int64
    private let pingInterval: Int64
    /// How long it may be silent before something has to be done.
    private let silenceLimit: Int64
    private var lastActivity: Instant
    private var pingedAt: Instant
    /// We sent a close frame; the tunnel ends when the peers have, or at the deadline.
    private(set) var isClosing = false
    var closeAt = Instant.never
    /// Close with 1001 at this time (draining).
    var drainAt = Instant.never
    var clientEnded = false
    var upstreamEnded = false

    init(messageLimit: Int, idleTimeout: Int64, pingInterval: Int64, now: Instant) {
        fromClient = WebSocketFrameScanner(direction: .fromClient, messageLimit: messageLimit, allowsCompression: true)
        fromUpstream = WebSocketFrameScanner(
            direction: .fromServer, messageLimit: messageLimit, allowsCompression: true)
        self.idleTimeout = idleTimeout
        self.pingInterval = pingInterval
        silenceLimit = min(idleTimeout, pingInterval)
        lastActivity = now
        pingedAt = now
    }

    /// Follows bytes of the client.
    mutating func follow(fromClient bytes: Span<UInt8>, now: Instant) throws(WebSocketFailure) {
        lastActivity = now
        _ = try fromClient.scan(bytes)
    }

    /// Follows bytes of the upstream.
    mutating func follow(fromUpstream bytes: Span<UInt8>, now: Instant) throws(WebSocketFailure) {
        lastActivity = now
        _ = try fromUpstream.scan(bytes)
    }

    /// The deadline after bytes passed, which is the last one moved on; nil when there is one that activity does not move.
    func deadlineAfterActivity(now: Instant) -> Instant? {
        closeAt == .never && drainAt == .never ? now.advanced(by: silenceLimit) : nil
    }

    /// When something has to be done.
    var deadline: Instant {
        var deadline = min(closeAt, drainAt)
        deadline = min(deadline, lastActivity.advanced(by: idleTimeout))
        return isClosing ? deadline : min(deadline, nextPing)
    }

    func isIdle(now: Instant) -> Bool { lastActivity.advanced(by: idleTimeout) <= now }

    /// Whether a ping is due; it counts as sent.
    mutating func takePing(now: Instant) -> Bool {
        guard !isClosing, nextPing <= now else { return false }
        pingedAt = now
        return true
    }

    private var nextPing: Instant {
        pingInterval == .max ? .never : max(pingedAt, lastActivity).advanced(by: pingInterval)
    }

    /// We end it. False: that had begun.
    mutating func close(at deadline: Instant) -> Bool {
        guard !isClosing else { return false }
        isClosing = true
        closeAt = deadline
        return true
    }

    /// A frame of our own may go to the client.
    var mayWriteToClient: Bool { fromUpstream.isAtBorder && !fromUpstream.isClosed }
    /// A frame of our own may go to the upstream.
    var mayWriteToUpstream: Bool { fromClient.isAtBorder && !fromClient.isClosed }
}
