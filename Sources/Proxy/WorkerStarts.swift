import Linux
import Synchronization

/// Waits until every worker serves, or has said why it cannot: the start fails as a whole.
final class WorkerStarts: Sendable {
    private struct State {
        var left: Int
        var failure: Errno?
    }

    private let state: Mutex<State>
    private let over: EventFD

    init(workers: Int) throws(Errno) {
        state = Mutex(State(left: workers))
        over = try EventFD()
    }

    /// One worker serves, or cannot.
    func note(_ failure: Errno?) {
        let isLast = state.withLock { state in
            state.left -= 1
            if let failure { state.failure = failure }
            return state.left == 0
        }
        if isLast { over.signal() }
    }

    func wait() throws(Errno) {
        while Poll.wait([over.number], milliseconds: nil).isEmpty {}
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }
}
