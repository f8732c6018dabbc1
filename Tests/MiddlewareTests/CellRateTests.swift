import Containers
import Testing

@testable import Middleware

/// The same limit told differently: a bucket that leaks and remembers its content.
private struct LeakyBucket {
    var content: Int64 = 0
    var last: Int64 = 0

    mutating func admits(_ rate: CellRate, now: Int64) -> Bool {
        let left = max(0, content - (now - last))
        guard left + rate.interval <= rate.tolerance else { return false }
        content = left + rate.interval
        last = now
        return true
    }
}

@Suite struct CellRateTests {
    @Test(arguments: 0..<20 as Range<UInt64>)
    func `Decisions agree with a leaky bucket`(seed: UInt64) {
        var random = RandomSource(seed: seed)
        let count = 1 + random.below(50)
        let burst = 1 + random.below(20)
        let rate = CellRate(count: count, period: 1_000_000_000, burst: burst)
        var model = LeakyBucket()
        var paidAt: Int64 = 0
        var now: Int64 = 5_000_000_000
        var admitted = 0
        for _ in 0..<1000 {
            now += Int64(random.below(Int(rate.interval) * (random.below(10) == 0 ? 30 : 2)))
            switch rate.decide(paidAt: paidAt, now: now) {
            case .admit(let next, let remaining, let reset):
                check(model.admits(rate, now: now))
                #expect(remaining >= 0 && remaining < burst && reset > 0 && reset <= rate.tolerance)
                paidAt = next
                admitted += 1
            case .refuse(let wait):
                check(!model.admits(rate, now: now))
                if case .refuse = rate.decide(paidAt: paidAt, now: now + wait - 1) {} else { Issue.record("too late") }
                if case .admit = rate.decide(paidAt: paidAt, now: now + wait) {} else { Issue.record("too early") }
            }
        }
        #expect(admitted > 50)
    }

    @Test func `What remains is what may come now`() {
        let rate = CellRate(count: 10, period: 1_000_000_000, burst: 5)
        var paidAt: Int64 = 0
        for expected in [4, 3, 2, 1, 0] as [Int64] {
            guard case .admit(let next, let remaining, let reset) = rate.decide(paidAt: paidAt, now: 1_000) else {
                Issue.record("refused")
                return
            }
            #expect(remaining == expected && reset == (5 - expected) * 100_000_000)
            paidAt = next
        }
        #expect(rate.decide(paidAt: paidAt, now: 1_000) == .refuse(wait: 100_000_000))
    }

    @Test(
        arguments: [
            (1, Int64.max, Int.max), (Int.max, 1, Int.max), (Int.max, Int64.max, 1), (0, 0, 0), (-1, -1, -1),
            (1_000_000_000, 1, 1),
        ] as [(Int, Int64, Int)])
    func `No configuration overflows`(count: Int, period: Int64, burst: Int) {
        let rate = CellRate(count: count, period: period, burst: burst)
        for paidAt in [Int64.min, 0, .max] {
            for now in [0, 1, Int64.max / 2, .max] { _ = rate.decide(paidAt: paidAt, now: now) }
        }
        #expect(rate.interval >= 1 && rate.tolerance >= 1)
    }
}
