package import Linux
import Synchronization

/// Reloads that clients of the admin API ask for, on their way from the workers to the life cycle and back.
///
///     workers: reload() ─▶ waiting ──take()──▶ taken ──answer()──▶ all of them go on
package final class ReloadRequests: Sendable {
    private typealias Continuation = CheckedContinuation<ReloadOutcome, Never>

    private struct State {
        var waiting: [Continuation] = []
        /// Those whose reload runs. Whoever comes later gets one of their own: the file may have changed since it was read.
        var taken: [Continuation] = []
    }

    private let state = Mutex(State())
    private let event: EventFD

    package init() throws(Errno) { event = try EventFD() }

    /// Readable while somebody waits.
    package var descriptor: Int32 { event.number }

    /// Asks for a reload and waits until it is over.
    package func reload() async -> ReloadOutcome {
        await withCheckedContinuation { continuation in
            state.withLock { $0.waiting.append(continuation) }
            event.signal()
        }
    }

    /// Whether anybody has asked since the last look: one reload is for all of them.
    package func take() -> Bool {
        event.clear()
        return state.withLock { state in
            let isAsked = !state.waiting.isEmpty
            state.taken += state.waiting
            state.waiting = []
            return isAsked
        }
    }

    /// The reload for those who were taken is over.
    package func answer(_ outcome: ReloadOutcome) {
        let taken = state.withLock { state in
            let taken = state.taken
            state.taken = []
            return taken
        }
        for continuation in taken { continuation.resume(returning: outcome) }
    }
}
