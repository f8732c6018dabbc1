import Containers
import Linux

/// Decides what follows the end of a gateway process.
///
///     starting ──ready──▶ serving ──crash──▶ restart (at once, then ever later) ──▶ serving
///        │                   │                  └─too often─▶ give up
///        └─ended─▶ exit      └─stop asked─▶ stopping ──ended──▶ exit with its code
struct RestartPolicy {
    enum Decision: Equatable {
        case exit(code: Int32)
        case restart(afterNanoseconds: Int64)
        /// It keeps dying: whoever started us should know, and can begin anew, with the file.
        case giveUp
    }

    /// Pauses before the first, second, … restart in a row.
    static let pauses: [Int64] = [0, 100, 200, 400, 800, 1_600, 3_200, 5_000].map { $0 * 1_000_000 }
    /// Who lived this long was no failed restart.
    static let healthyAfter: Int64 = 10_000_000_000
    /// So many ends within `window` are too many. With the pauses above this takes 21 seconds at least.
    static let endsLimit = 10
    static let window: Int64 = 60_000_000_000

    /// Somebody asked for the end.
    var isStopping = false
    /// A gateway has served: from here on a crash is answered with a restart.
    private(set) var hasServed = false
    private var startedAt = Instant(nanoseconds: 0)
    private var restartsInARow = 0
    /// When processes ended that should not have, within the window.
    private var ends: [Instant] = []

    mutating func started(now: Instant) { startedAt = now }

    mutating func ready() { hasServed = true }

    mutating func ended(_ ending: Process.Ending, now: Instant) -> Decision {
        if isStopping || !hasServed { return .exit(code: Self.code(ending)) }
        if ending == .exited(code: 0) { return .exit(code: 0) }
        ends.removeAll { now.since($0) >= Self.window }
        ends.append(now)
        if ends.count >= Self.endsLimit { return .giveUp }
        if now.since(startedAt) >= Self.healthyAfter { restartsInARow = 0 }
        let pause = Self.pauses[min(restartsInARow, Self.pauses.count - 1)]
        restartsInARow += 1
        return .restart(afterNanoseconds: pause)
    }

    /// As a shell says it: the exit code, or 128 and the signal.
    private static func code(_ ending: Process.Ending) -> Int32 {
        switch ending {
        case .exited(let code): code
        case .killed(let signal): 128 + signal
        }
    }
}
