import Containers
import Testing

/// What a wheel promises, the obvious way: a list that is searched.
private struct TimerModel {
    var deadlines: [Int: Instant] = [:]

    var earliest: Instant { deadlines.values.min() ?? .never }
}

@Suite struct TimerWheelTests {
    private static let tick = TimerWheel.tickNanoseconds
    private static let millisecond: Int64 = 1_000_000
    private static let second: Int64 = 1_000_000_000

    @Test func `a tick is at most nine milliseconds`() {
        #expect(Self.tick == 8_388_608)
    }

    @Test func `an empty wheel has nothing to do, ever`() {
        var wheel = TimerWheel(now: Instant(nanoseconds: 5))
        #expect(wheel.next == .never)
        #expect(wheel.popExpired(now: Instant(nanoseconds: .max - 1)) == nil)
        #expect(wheel.next == .never)
        #expect(wheel.deadline(of: 7) == .never)
        wheel.set(7, to: .never)
        wheel.remove(7)
        wheel.remove(-1)
        #expect(wheel.count == 0)
    }

    @Test func `a deadline in the past fires at once`() {
        // The wheel's own time may be ahead of the deadline; then `next` must not wait a round of 64 ticks.
        var wheel = TimerWheel(now: Instant(nanoseconds: 100 * Self.second))
        wheel.set(3, to: Instant(nanoseconds: 99 * Self.second))
        #expect(wheel.next <= Instant(nanoseconds: 100 * Self.second))
        #expect(wheel.popExpired(now: Instant(nanoseconds: 100 * Self.second)) == 3)
        #expect(wheel.count == 0)
    }

    @Test func `a later slot of a low level does not hide an earlier one of a higher level`() {
        var wheel = TimerWheel(now: Instant(nanoseconds: 0))
        // Owner 1 is linked on level 1, 70 ticks ahead; 20 ticks later owner 2 comes to level 0, 60 ticks ahead.
        wheel.set(1, to: Instant(nanoseconds: 69 * Self.tick))
        let later = Instant(nanoseconds: 20 * Self.tick)
        wheel.set(0, to: later)
        #expect(wheel.popExpired(now: later.advanced(by: Self.tick)) == 0)
        #expect(wheel.popExpired(now: later.advanced(by: Self.tick)) == nil)
        wheel.set(2, to: Instant(nanoseconds: 80 * Self.tick))
        #expect(wheel.next <= Instant(nanoseconds: 70 * Self.tick))
    }

    @Test func `moving a deadline to and fro leaves one timer`() {
        var wheel = TimerWheel(now: Instant(nanoseconds: 0))
        for seconds: Int64 in [10, 100, 5, 50, 7, 100_000, 3] {
            wheel.set(9, to: Instant(nanoseconds: seconds * Self.second))
            #expect(wheel.deadline(of: 9) == Instant(nanoseconds: seconds * Self.second))
            #expect(wheel.count == 1)
        }
        #expect(wheel.popExpired(now: Instant(nanoseconds: 3 * Self.second - 1)) == nil)
        #expect(wheel.popExpired(now: Instant(nanoseconds: 3 * Self.second + Self.tick)) == 9)
        #expect(wheel.popExpired(now: Instant(nanoseconds: 1 << 60)) == nil)
    }

    @Test func `a deadline beyond the range of the wheel fires on time`() {
        var wheel = TimerWheel(now: Instant(nanoseconds: 0))
        let week = Instant(nanoseconds: 7 * 24 * 3_600 * Self.second)
        wheel.set(1, to: week)
        var wakeUps = 0
        while wheel.count > 0 {
            wakeUps += 1
            let now = wheel.next
            if let owner = wheel.popExpired(now: now) {
                #expect(owner == 1)
                #expect(now >= week && now.since(week) <= Self.tick)
            }
            if wakeUps > 20 { break }
        }
        // Once per round of the highest level, then down the levels.
        #expect(wakeUps <= 10)
    }

    @Test(arguments: 0..<64) func `random use agrees with a list`(seed: Int) {
        var random = RandomSource(seed: UInt64(seed))
        let start = Int64(random.below(1 << 40)) - (seed % 8 == 0 ? 1 << 39 : 0)
        var now = Instant(nanoseconds: start)
        var wheel = TimerWheel(now: now)
        var model = TimerModel()
        for _ in 0..<2_000 {
            switch random.below(10) {
            case 0..<5:
                let owner = random.below(100)
                let deadline = now.advanced(by: distance(&random) - Self.second / 100)
                wheel.set(owner, to: deadline)
                model.deadlines[owner] = deadline
            case 5:
                let owner = random.below(120)
                if random.below(2) == 0 { wheel.remove(owner) } else { wheel.set(owner, to: .never) }
                model.deadlines[owner] = nil
            case 6, 7:
                // As a worker does: sleep until the wheel says so.
                let next = wheel.next
                if next != .never { now = max(now, next) }
                expire(&wheel, &model, now: now)
            default:
                now = now.advanced(by: distance(&random))
                expire(&wheel, &model, now: now)
            }
            let agrees = wheel.count == model.deadlines.count && checkNext(wheel.next, model, now: now)
            guard agrees else {
                Issue.record("seed \(seed): wheel and list differ")
                return
            }
        }
        for (owner, deadline) in model.deadlines { #expect(wheel.deadline(of: owner) == deadline) }
        now = now.advanced(by: 400 * 24 * 3_600 * Self.second)
        expire(&wheel, &model, now: now)
        #expect(model.deadlines.isEmpty && wheel.next == .never)
    }

    @Test func `sleeping until next fires a thousand timers with few idle wake-ups`() {
        var random = RandomSource(seed: 77)
        var wheel = TimerWheel(now: Instant(nanoseconds: 0))
        for owner in 0..<1_000 { wheel.set(owner, to: Instant(nanoseconds: distance(&random))) }
        var (wakeUps, fired) = (0, 0)
        while wheel.count > 0, wakeUps < 10_000 {
            wakeUps += 1
            let now = wheel.next
            while wheel.popExpired(now: now) != nil { fired += 1 }
        }
        #expect(fired == 1_000)
        // Each entry goes down at most three levels.
        #expect(wakeUps <= 4_000)
    }

    /// A span of time of any scale the wheel has levels for, and beyond.
    private func distance(_ random: inout RandomSource) -> Int64 {
        let scales: [Int] = [1, 20, 500, 30_000, 2_000_000, 200_000_000]
        return Int64(random.below(scales[random.below(scales.count)])) * Self.millisecond
            + Int64(random.below(Int(Self.millisecond)))
    }

    private func checkNext(_ next: Instant, _ model: TimerModel, now: Instant) -> Bool {
        let earliest = model.earliest
        if earliest == .never { return next == .never }
        return next <= max(earliest.advanced(by: Self.tick), now)
    }

    /// Takes all that is due, checks each against the list: none early, none missing for more than a tick.
    private func expire(_ wheel: inout TimerWheel, _ model: inout TimerModel, now: Instant) {
        while let owner = wheel.popExpired(now: now) {
            guard let deadline = model.deadlines.removeValue(forKey: owner) else {
                Issue.record("owner \(owner) fired without a deadline")
                return
            }
            if deadline > now { Issue.record("fired \(deadline.since(now)) ns early") }
            let left = wheel.deadline(of: owner)
            if left != .never { Issue.record("a fired deadline is still set") }
        }
        let earliest = model.earliest
        if earliest != .never, now.since(earliest) >= Self.tick {
            Issue.record("a timer is \(now.since(earliest)) ns late")
        }
        let next = wheel.next
        if next <= now { Issue.record("a worker would spin: nothing is due, but next is not later than now") }
    }
}
