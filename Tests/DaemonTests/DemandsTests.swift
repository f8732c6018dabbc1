import Linux
import Testing

@testable import Daemon

@Suite struct DemandsTests {
    @Test("a storm of reloads is one reload")
    func storm() {
        var demands = Demands()
        for _ in 0..<1_000 { demands.add(.hangup, from: 7, supervisor: 7) }
        #expect(demands == Demands(reload: true))
    }

    @Test("only the supervisor's signals count when there is one")
    func strangers() {
        var demands = Demands()
        for signal in Signal.allCases { demands.add(signal, from: 1, supervisor: 7) }
        demands.add(.terminate, from: 0, supervisor: 7)
        #expect(demands == Demands(strangers: [1, 0]))
    }

    @Test(
        "without a supervisor everybody's signals count",
        arguments: [
            (Signal.terminate, Demands(stop: true)), (.interrupt, Demands(stop: true)), (.quit, Demands(stopNow: true)),
            (.hangup, Demands(reload: true)), (.user1, Demands(reopenLogs: true)), (.pipe, Demands()),
        ])
    func meaning(signal: Signal, expected: Demands) {
        var demands = Demands()
        demands.add(signal, from: 99, supervisor: nil)
        #expect(demands == expected)
    }
}
