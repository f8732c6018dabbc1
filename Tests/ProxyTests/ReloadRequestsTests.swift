import Linux
import Testing

@testable import Proxy

@Suite struct ReloadRequestsTests {
    private func readable(_ requests: ReloadRequests, within milliseconds: Int32) -> Bool {
        Poll.wait([requests.descriptor], milliseconds: milliseconds).contains(index: 0)
    }

    @Test(
        "everybody who asked before a reload began gets its outcome; who asks meanwhile gets that of the next",
        .timeLimit(.minutes(1)))
    func rounds() async throws {
        let requests = try ReloadRequests()
        #expect(!requests.take())
        let first = Task { await requests.reload() }
        #expect(readable(requests, within: 30_000))
        #expect(requests.take())
        #expect(!requests.take() && !readable(requests, within: 0))
        let second = Task { await requests.reload() }
        #expect(readable(requests, within: 30_000))
        var outcome = ReloadOutcome()
        outcome.generation = 2
        requests.answer(outcome)
        #expect(await first.value.generation == 2)
        #expect(requests.take())
        outcome.generation = 3
        requests.answer(outcome)
        #expect(await second.value.generation == 3)
    }

    @Test("a bounded number of reloads is remembered, the newest last")
    func history() {
        var facts = MetricsDesk.Facts()
        for generation in 1...100 {
            var outcome = ReloadOutcome()
            outcome.generation = UInt64(generation)
            facts.note(outcome)
        }
        #expect(facts.reloads.count == MetricsDesk.reloadsLimit)
        #expect(facts.reloads.last?.generation == 100)
    }
}
