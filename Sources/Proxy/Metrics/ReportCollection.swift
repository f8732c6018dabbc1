import Synchronization

/// The reports of all workers for one scrape. Each worker adds its own in its next turn; none waits for another.
package final class ReportCollection: Sendable {
    private struct State {
        var missing: Int
        var sum = WorkerReport()
        var waiter: CheckedContinuation<WorkerReport, Never>?
    }

    private let state: Mutex<State>

    private init(workers: Int, _ waiter: CheckedContinuation<WorkerReport, Never>) {
        state = Mutex(State(missing: workers, waiter: waiter))
    }

    /// The sum over all workers that have not ended.
    static func sum(of inboxes: [Inbox]) async -> WorkerReport {
        if inboxes.isEmpty { return WorkerReport() }
        return await withCheckedContinuation { continuation in
            let collection = ReportCollection(workers: inboxes.count, continuation)
            for inbox in inboxes { inbox.post(.report(collection)) }
        }
    }

    /// - Parameter report: nil: the worker has ended.
    func add(_ report: WorkerReport?) {
        let done: (CheckedContinuation<WorkerReport, Never>, WorkerReport)? = state.withLock { state in
            if let report { state.sum = state.sum + report }
            state.missing -= 1
            guard state.missing == 0, let waiter = state.waiter else { return nil }
            state.waiter = nil
            return (waiter, state.sum)
        }
        if let (waiter, sum) = done { waiter.resume(returning: sum) }
    }
}
