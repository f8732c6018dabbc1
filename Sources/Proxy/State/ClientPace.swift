import Containers

/// How slow a client may be in one direction.
struct PaceLimits: Sendable {
    /// Nanoseconds of patience at the beginning.
    let grace: Int64
    /// Patience that one byte is worth; 0: any pace will do.
    let perByte: Int64
    /// No client is waited for longer than this, however fast it once was.
    let most: Int64

    /// - Parameter idle: what bounds a wait without any byte.
    init(bytesPerSecond: Int?, grace: Int64, idle: Int64) {
        self.grace = grace
        perByte = bytesPerSecond.map { max(1, 1_000_000_000 / Int64(max(1, $0))) } ?? 0
        most = max(grace, idle)
    }
}

/// The minimum rate of a client: a store of patience that waiting for it uses up and its bytes fill again.
///
/// Only time in which the client alone is waited for counts: whoever calls starts the clock when it does, and stops it when
/// an upstream, or we, are what an exchange waits for. A client that keeps the rate is waited for as long as it takes; one
/// that was fast may pause as long as the idle timeout; one that trickles is out of patience after the grace.
struct ClientPace {
    enum Direction { case none, content, answer }

    private(set) var direction = Direction.none
    /// Nanoseconds; negative: nobody was waited for yet.
    private var patience: Int64 = -1
    private var since = Instant.never
    /// Bytes that had come, or were taken, when the clock was started.
    private var bytes = 0
    /// Bytes of the answer that were taken when the clock was stopped.
    private var answered = 0

    var isRunning: Bool { direction != .none }

    /// When patience ends if no more bytes move.
    var deadline: Instant { direction == .none ? .never : since.advanced(by: max(0, patience)) }

    /// Half way to that: time to see how far the client is, so that there is something to compare with at the end.
    var halfway: Instant { direction == .none ? .never : since.advanced(by: max(0, patience) / 2) }

    /// The client is what is waited for, and so many bytes have moved. Does nothing while the clock runs.
    mutating func start(_ direction: Direction, at count: Int, now: Instant, limits: PaceLimits) {
        guard self.direction != direction, limits.perByte > 0 else { return }
        if patience < 0 { patience = limits.grace }
        // What went without a wait speaks for the client: a window or a kernel that takes all but a little each time is not slow.
        if direction == .answer { add(count &- answered, limits) }
        self.direction = direction
        since = now
        bytes = count
    }

    /// Takes what was waited and what has come into account; the clock goes on. False: patience is at its end.
    mutating func settle(at count: Int, now: Instant, limits: PaceLimits) -> Bool {
        guard direction != .none else { return true }
        patience = max(0, patience &- max(0, now.since(since)))
        add(count &- bytes, limits)
        since = now
        bytes = count
        return patience > 0
    }

    /// Something else is waited for.
    mutating func stop(at count: Int, now: Instant, limits: PaceLimits) {
        _ = settle(at: count, now: now, limits: limits)
        if direction == .answer { answered = count }
        direction = .none
    }

    /// The count stands for something else from here on; nothing is judged by the step.
    mutating func recount(from count: Int) { bytes = count }

    private mutating func add(_ count: Int, _ limits: PaceLimits) {
        let (gain, overflow) = Int64(max(0, count)).multipliedReportingOverflow(by: limits.perByte)
        patience = overflow ? limits.most : min(limits.most, patience &+ min(gain, limits.most))
    }
}
