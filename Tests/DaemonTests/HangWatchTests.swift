import Config
import Containers
import Linux
import Testing

@testable import Daemon

@Suite struct HangWatchTests {
    private static let second: Int64 = 1_000_000_000

    /// A watch with its clock; each look comes when it is due.
    private struct Watched {
        var watch = HangWatch()
        var now = Instant(nanoseconds: 7 * second)

        init(limit: Int64? = 5 * second, takesOver: Bool = false) {
            watch.limit = limit
            watch.begin(takesOver: takesOver, now: now)
        }

        /// Looks when it is due, or `late` nanoseconds afterwards.
        mutating func look(_ counts: [UInt64], late: Int64 = 0) -> HangWatch.Finding? {
            now = (watch.next ?? now).advanced(by: late)
            return watch.look(counts, now: now)
        }
    }

    @Test("a worker that turns does not hang, however long it lives")
    func healthy() {
        var watched = Watched()
        for turn in 1...10_000 { #expect(watched.look([UInt64(turn), 1_000 + UInt64(turn)]) == nil) }
    }

    @Test("one turn between two looks is enough, and a count may begin anew")
    func oneTurn() {
        var watched = Watched()
        for count in [9, 9, 9, 9, 9, 1, 1, 1, 1, 1, 2] as [UInt64] { #expect(watched.look([count]) == nil) }
    }

    @Test("a worker that does not turn for the limit hangs, whatever the others do", arguments: 0..<3)
    func hung(worker: Int) {
        var watched = Watched()
        var looks = 0
        while looks < 100 {
            looks += 1
            var counts = Array(repeating: UInt64(looks), count: 3)
            counts[worker] = 4_711
            guard let finding = watched.look(counts) else { continue }
            #expect(finding == .worker(worker, silence: 5 * Self.second))
            break
        }
        // The first one shows the count, five more that it stays.
        #expect(looks == 6)
    }

    @Test("looks are a second apart at most, and five within a shorter limit", arguments: [2, 5, 60] as [Int64])
    func pace(limit: Int64) throws {
        var watched = Watched(limit: limit * Self.second)
        let first = try #require(watched.watch.next)
        #expect(first.since(watched.now) == min(Self.second, limit * Self.second / 5))
        var looks = 0
        while watched.look([1]) == nil { looks += 1 }
        #expect(Int64(looks) == limit * Self.second / min(Self.second, limit * Self.second / 5))
    }

    @Test("a limit is longer than an idle worker sleeps")
    func longerThanSleep() {
        var config = GatewayConfig()
        config.hangTimeout = .seconds(2)
        // The shortest that can be configured.
        let limit = SupervisorSettings(config).hangTimeout ?? 0
        #expect(limit >= 2 * Self.second)
        var watched = Watched(limit: limit)
        // An idle worker turns once a second; five looks lie within two.
        var turns: UInt64 = 0
        for look in 0..<1_000 {
            if look % 3 == 0 { turns += 1 }
            #expect(watched.look([turns]) == nil)
        }
    }

    @Test("a machine that stood still, or a supervisor that did, is no hang")
    func standstill() {
        var watched = Watched()
        var findings = 0
        for _ in 0..<3 {
            for _ in 0..<2 where watched.look([1], late: 3_600 * Self.second) != nil { findings += 1 }
        }
        // Six looks over six hours: eleven seconds at the most count.
        #expect(findings <= 4)
        var fresh = Watched()
        _ = fresh.look([1])
        #expect(fresh.look([1], late: 3_600 * Self.second) == nil)
        #expect(fresh.look([2]) == nil)
    }

    @Test("who has ended, or not begun, is not waited for")
    func ended() {
        var watched = Watched()
        for _ in 0..<100 { #expect(watched.look([]) == nil) }
        for _ in 0..<100 { #expect(watched.look([Heartbeats.ended]) == nil) }
    }

    @Test("a finding that is forgiven comes back after the whole limit")
    func forgiven() {
        var watched = Watched()
        for _ in 0..<5 { #expect(watched.look([1]) == nil) }
        #expect(watched.look([1]) != nil)
        watched.watch.forgive()
        for _ in 0..<4 { #expect(watched.look([1]) == nil) }
        #expect(watched.look([1]) == .worker(0, silence: 5 * Self.second))
    }

    @Test("nothing is judged while there is no limit, no process, or only its end")
    func off() {
        var watched = Watched(limit: nil)
        #expect(watched.watch.next == nil)
        #expect(watched.watch.look([1], now: watched.now.advanced(by: 1 << 50)) == nil)
        watched = Watched()
        watched.watch.end()
        #expect(watched.watch.next == nil)
        #expect(watched.watch.look([1], now: watched.now.advanced(by: 1 << 50)) == nil)
    }

    @Test("who takes over has a minute to serve; who starts first has no limit")
    func start() {
        var watched = Watched(takesOver: true)
        var looks = 0
        while looks < 1_000, watched.look([]) == nil { looks += 1 }
        #expect(looks == 59)
        watched = Watched(takesOver: true)
        for _ in 0..<30 { #expect(watched.look([]) == nil) }
        watched.watch.served()
        for turn in 0..<100 { #expect(watched.look([UInt64(turn) + 1]) == nil) }
        watched = Watched(takesOver: false)
        for _ in 0..<1_000 { #expect(watched.look([]) == nil) }
    }

    @Test("what is counted in one mapping is seen in another")
    func sharedMemory() throws {
        let file = try Heartbeats.file()
        let last = Heartbeats.limit - 1
        let first = try Heartbeats(mapping: file.number)
        let other = try Heartbeats(mapping: file.number, worker: last)
        let supervisor = try Heartbeats(mapping: file.number)
        #expect(supervisor.count(0) == Heartbeats.never && supervisor.count(last) == Heartbeats.never)
        first.beat(1)
        other.beat(Heartbeats.ended)
        #expect(supervisor.count(0) == 1 && supervisor.count(1) == Heartbeats.never)
        #expect(supervisor.count(last) == Heartbeats.ended)
        // Without a file nobody else sees it.
        let own = try Heartbeats(mapping: nil)
        own.beat(9)
        #expect(own.count(0) == 9 && supervisor.count(0) == 1)
    }

    @Test("what the kernel says of a process is understood")
    func standstillText() {
        let running = Process.Standstill(status: Array("Name:\tx\nState:\tR (running)\nTracerPid:\t0\n".utf8))
        #expect(!running.isStopped && !running.isTraced)
        let stopped = Process.Standstill(status: Array("Name:\tx\nState:\tT (stopped)\nTracerPid:\t0\n".utf8))
        #expect(stopped.isStopped && !stopped.isTraced)
        let traced = Process.Standstill(status: Array("State:\tt (tracing stop)\nTracerPid:\t17\nNgid:\t0\n".utf8))
        #expect(traced.isTraced && !traced.isStopped)
        #expect(Process.standstill(of: Process.id)?.isStopped == false)
    }
}
