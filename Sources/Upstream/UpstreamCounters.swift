private import Synchronization

/// The counts of one upstream that must be exact over all workers and go on over a reload, whose limits may differ.
final class UpstreamCounters: Sendable {
    let connections = ExactCount()
    let pending = ExactCount()
    let retries = ExactCount()
    /// Workers with exchanges that wait for a connection permit.
    let waiters = WorkerSet()
    /// Workers that hold idle sessions, and with them permits that they could give up.
    let idleHolders = WorkerSet()
}

/// A count that never passes the limit it is raised under.
struct ExactCount: ~Copyable, Sendable {
    private let value = Atomic<Int>(0)

    var current: Int { value.load(ordering: .sequentiallyConsistent) }

    /// Adds one when the count is below `limit`.
    func raise(below limit: Int) -> Bool {
        var seen = value.load(ordering: .sequentiallyConsistent)
        while seen < limit {
            let (exchanged, original) = value.weakCompareExchange(
                expected: seen, desired: seen + 1, ordering: .sequentiallyConsistent)
            if exchanged { return true }
            seen = original
        }
        return false
    }

    func lower() {
        value.wrappingSubtract(1, ordering: .sequentiallyConsistent)
    }
}
