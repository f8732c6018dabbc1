import Containers
import Linux
import Testing

@testable import Daemon

@Suite struct RestartPolicyTests {
    private static let second: Int64 = 1_000_000_000

    @Test(
        "who never served is not started again, and its exit code is ours",
        arguments: [
            (Process.Ending.exited(code: 78), Int32(78)), (.exited(code: 0), 0), (.killed(signal: 11), 139),
        ])
    func failedStart(ending: Process.Ending, code: Int32) {
        var policy = RestartPolicy()
        policy.started(now: Instant(nanoseconds: 0))
        #expect(policy.ended(ending, now: Instant(nanoseconds: 5)) == .exit(code: code))
    }

    @Test("a crash is answered at once, and ever later while it goes on")
    func backOff() {
        var policy = RestartPolicy()
        policy.ready()
        var now = Instant(nanoseconds: 0)
        var pauses: [Int64] = []
        for _ in 0..<9 {
            policy.started(now: now)
            now = now.advanced(by: Self.second)
            guard case .restart(let pause) = policy.ended(.killed(signal: 4), now: now) else {
                Issue.record("no restart")
                return
            }
            pauses.append(pause / 1_000_000)
            now = now.advanced(by: pause)
        }
        #expect(pauses == [0, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000])
    }

    @Test(
        "the tenth end within a minute is the last", arguments: [Process.Ending.killed(signal: 11), .exited(code: 1)])
    func givesUp(ending: Process.Ending) {
        var policy = RestartPolicy()
        policy.ready()
        for end in 1...10 {
            let now = Instant(nanoseconds: Int64(end) * 6 * Self.second)
            policy.started(now: now)
            #expect((policy.ended(ending, now: now) == .giveUp) == (end == 10))
        }
    }

    @Test("it goes on for ever with who dies less often")
    func goesOn() {
        var policy = RestartPolicy()
        policy.ready()
        for end in 1...1_000 {
            let now = Instant(nanoseconds: Int64(end) * 7 * Self.second)
            policy.started(now: now)
            #expect(policy.ended(.killed(signal: 11), now: now) != .giveUp)
        }
    }

    @Test("ten seconds of life make the next restart immediate again")
    func reset() {
        var policy = RestartPolicy()
        policy.ready()
        for life in [1, 1, 1, 10] as [Int64] {
            policy.started(now: Instant(nanoseconds: 0))
            let decision = policy.ended(.exited(code: 1), now: Instant(nanoseconds: life * Self.second))
            if life == 10 { #expect(decision == .restart(afterNanoseconds: 0)) }
        }
    }

    @Test("once the end was asked for there is no restart")
    func stopping() {
        var policy = RestartPolicy()
        policy.ready()
        policy.isStopping = true
        #expect(policy.ended(.exited(code: 0), now: Instant(nanoseconds: 0)) == .exit(code: 0))
        #expect(policy.ended(.killed(signal: 9), now: Instant(nanoseconds: 0)) == .exit(code: 137))
    }

    @Test("a gateway that ends well by itself ends the supervisor")
    func cleanEnd() {
        var policy = RestartPolicy()
        policy.ready()
        #expect(policy.ended(.exited(code: 0), now: Instant(nanoseconds: 0)) == .exit(code: 0))
    }
}
