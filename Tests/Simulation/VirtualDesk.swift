import Synchronization

/// Where tasks of the simulated program leave what they wait for: the world picks it up between two turns, and answers when
/// its own time has come.
package final class VirtualDesk: Sendable {
    struct Question: Sendable {
        let nonce: String
        let answer: CheckedContinuation<ExchangeKind.Decision, Never>
    }

    struct Sleep: Sendable {
        let nanoseconds: Int64
        let end: CheckedContinuation<Void, Never>
    }

    private struct State: Sendable {
        var questions: [Question] = []
        var sleeps: [Sleep] = []
        var results: [CallResult] = []
        var probes: [LimiterProbe] = []
    }

    private let state = Mutex(State())

    /// Waits for what the world decides on a request.
    func decision(on nonce: String) async -> ExchangeKind.Decision {
        await withCheckedContinuation { answer in
            state.withLock { $0.questions.append(Question(nonce: nonce, answer: answer)) }
        }
    }

    func sleep(_ nanoseconds: Int64) async {
        await withCheckedContinuation { end in
            state.withLock { $0.sleeps.append(Sleep(nanoseconds: nanoseconds, end: end)) }
        }
    }

    func finish(_ result: CallResult) { state.withLock { $0.results.append(result) } }

    func note(_ probe: LimiterProbe) { state.withLock { $0.probes.append(probe) } }

    // MARK: The world's side

    func takeQuestions() -> [Question] { state.withLock { Self.take(&$0.questions) } }
    func takeSleeps() -> [Sleep] { state.withLock { Self.take(&$0.sleeps) } }
    func takeResults() -> [CallResult] { state.withLock { Self.take(&$0.results) } }
    func takeProbes() -> [LimiterProbe] { state.withLock { Self.take(&$0.probes) } }

    private static func take<Element>(_ list: inout [Element]) -> [Element] {
        let all = list
        list.removeAll(keepingCapacity: true)
        return all
    }
}
