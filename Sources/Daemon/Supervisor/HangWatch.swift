import Containers
import Linux

/// Judges a gateway process by the turns that its workers count in `Heartbeats`.
///
/// A worker turns at least once in `Housekeeping.interval`, also when nothing happens: a count that stays as it was belongs
/// to a worker that is busy with one turn, or to a process that does not run at all. How long it stayed so is summed up
/// from look to look, and a look counts for little more than its distance: when the machine stood still, or the supervisor
/// did not get to run, nobody is to blame.
struct HangWatch {
    enum Finding: Equatable {
        /// This worker has not turned for so many nanoseconds.
        case worker(Int, silence: Int64)
        /// A process that was to take over does not come to serve.
        case start(silence: Int64)
    }

    /// Looks while the limit runs, and their longest distance.
    static let looksPerLimit: Int64 = 5
    static let longestPause: Int64 = 1_000_000_000
    /// How long a process may need that takes over from one that died: it starts from a configuration that has served before.
    static let startLimit: Int64 = 60_000_000_000

    private struct Worker {
        var count: UInt64
        var silence: Int64
    }

    /// Nanoseconds without a turn; nil: nothing is judged.
    var limit: Int64?
    private var isWatching = false
    private var lastLook = Instant(nanoseconds: 0)
    private var workers: [Worker] = []
    /// While a process is awaited that takes over.
    private var startSilence: Int64?

    /// When the next look is due; nil: none is.
    var next: Instant? { isWatching ? limit.map { lastLook.advanced(by: Self.pause($0)) } : nil }

    private static func pause(_ limit: Int64) -> Int64 { min(limit / looksPerLimit, longestPause) }

    /// A process was started.
    mutating func begin(takesOver: Bool, now: Instant) {
        isWatching = true
        lastLook = now
        workers = []
        startSilence = takesOver ? 0 : nil
    }

    /// It serves.
    mutating func served() { startSilence = nil }

    /// It is over, or its end is on the way.
    mutating func end() { isWatching = false }

    /// What was found shall not count: from here on as if everybody had just turned.
    mutating func forgive() {
        for index in workers.indices { workers[index].silence = 0 }
        if startSilence != nil { startSilence = 0 }
    }

    /// - Parameter counts: the heartbeats of the workers that have begun.
    mutating func look(_ counts: [UInt64], now: Instant) -> Finding? {
        guard isWatching, let limit else { return nil }
        let elapsed = min(max(0, now.since(lastLook)), 2 * Self.pause(limit))
        lastLook = now
        var finding: Finding?
        for (index, count) in counts.enumerated() {
            guard index < workers.count else {
                workers.append(Worker(count: count, silence: 0))
                continue
            }
            if count == Heartbeats.ended || count != workers[index].count {
                workers[index] = Worker(count: count, silence: 0)
                continue
            }
            workers[index].silence += elapsed
            if finding == nil, workers[index].silence >= limit {
                finding = .worker(index, silence: workers[index].silence)
            }
        }
        if let silence = startSilence {
            startSilence = silence + elapsed
            if finding == nil, silence + elapsed >= Self.startLimit { finding = .start(silence: silence + elapsed) }
        }
        return finding
    }
}
