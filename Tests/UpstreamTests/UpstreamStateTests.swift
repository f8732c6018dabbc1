import Config
import Containers
import Net
import Synchronization
import Testing

@testable import Upstream

@Suite("An upstream's state")
struct UpstreamStateTests {
    @Test("gives max_connections permits, and one more for each that comes back")
    func permits() {
        let state = upstream([endpoint(1), endpoint(2)]) { $0.pool.maxConnections = 3 }
        #expect((0..<5).map { state.acquireConnection(endpoint: $0 % 2) } == [true, true, true, false, false])
        #expect(state.endpoints.map { $0.connections.load(ordering: .relaxed) } == [2, 1])
        state.releaseConnection(endpoint: 0)
        #expect(state.acquireConnection(endpoint: 1))
        #expect(!state.acquireConnection(endpoint: 1))
        #expect(state.gauges == UpstreamState.Gauges(connections: 3, pending: 0, retries: 0, requests: 0))
    }

    @Test("lets max_pending exchanges wait")
    func pending() {
        let state = upstream([endpoint(1)]) { $0.pool.maxPending = 2 }
        #expect((0..<3).map { _ in state.enterQueue() } == [true, true, false])
        state.leaveQueue()
        #expect(state.enterQueue())
    }

    @Test("permits are never exceeded by tasks that take and give at once", arguments: [1, 3, 16])
    func exactness(limit: Int) async {
        let state = upstream([endpoint(1), endpoint(2)]) { $0.pool.maxConnections = limit }
        let open = Shared()
        let most = Shared()
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    for _ in 0..<20_000 where state.acquireConnection(endpoint: task % 2) {
                        let count = open.value.wrappingAdd(1, ordering: .sequentiallyConsistent).newValue
                        most.value.max(count, ordering: .relaxed)
                        open.value.wrappingSubtract(1, ordering: .sequentiallyConsistent)
                        state.releaseConnection(endpoint: task % 2)
                    }
                }
            }
        }
        #expect(most.value.load(ordering: .relaxed) <= limit)
        #expect(most.value.load(ordering: .relaxed) >= 1)
        #expect(state.gauges.connections == 0)
        #expect((0..<limit + 1).map { _ in state.acquireConnection(endpoint: 0) }.count { $0 } == limit)
    }

    @Test("no release slips past a worker that is about to wait: with one permit, some worker is always woken")
    func noLostWakeUp() async {
        let state = upstream([endpoint(1)]) { $0.pool.maxConnections = 1 }
        let rounds = 5_000
        let wakes = (0..<4).map { _ in Shared() }
        await withTaskGroup(of: Void.self) { group in
            for worker in 0..<4 {
                group.addTask {
                    for _ in 0..<rounds {
                        while !state.acquireConnection(endpoint: 0, orWakeLater: worker) {
                            // The inbox of a real worker: nothing but a wake-up ends the wait.
                            while wakes[worker].value.exchange(0, ordering: .acquiringAndReleasing) == 0 {
                                await Task.yield()
                            }
                        }
                        state.releaseConnection(endpoint: 0)
                        if let next = state.takeWaiter() { wakes[next].value.store(1, ordering: .releasing) }
                    }
                }
            }
        }
        #expect(state.gauges.connections == 0)
    }

    @Test("a retry needs an attempt left and the budget: a share of the active requests, but at least three")
    func budget() {
        let state = upstream([endpoint(1)]) {
            $0.retries.attempts = 2
            $0.retries.budgetPercent = 20
        }
        #expect(!state.beginRetry(attempts: 2))
        #expect((0..<4).map { _ in state.beginRetry(attempts: 0) } == [true, true, true, false])
        for _ in 0..<25 { state.beginRequest(endpoint: 0) }
        #expect((0..<3).map { _ in state.beginRetry(attempts: 1) } == [true, true, false])
        for _ in 0..<5 { state.endRetry() }
        for _ in 0..<25 { state.endRequest(endpoint: 0) }
        #expect(state.gauges == UpstreamState.Gauges(connections: 0, pending: 0, retries: 0, requests: 0))
    }

    @Test("retries never exceed the budget when many tasks ask at once")
    func budgetExactness() async {
        let state = upstream([endpoint(1)])
        for _ in 0..<100 { state.beginRequest(endpoint: 0) }
        let granted = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask { (0..<50).count { _ in state.beginRetry(attempts: 0) } }
            }
            return await group.reduce(0, +)
        }
        #expect(granted == 20)
    }

    @Test("a reload keeps endpoints by URL, and permits, whatever else changes")
    func reload() {
        let old = upstream([endpoint(1), endpoint(2)]) { $0.pool.maxConnections = 2 }
        #expect(old.acquireConnection(endpoint: 0))
        #expect(old.acquireConnection(endpoint: 1))
        setAside(old.endpoints[1], at: at(1))
        let config = configuration([endpoint(3), endpoint(2, weight: 7)]) { $0.pool.maxConnections = 3 }
        let new = UpstreamState.make(config: config, previous: old)
        #expect(new.endpoints[1] === old.endpoints[1])
        #expect(new.endpoints[0] !== old.endpoints[0])
        #expect(new.endpoints[1].isSetAside)
        #expect(new.acquireConnection(endpoint: 0))
        #expect(!new.acquireConnection(endpoint: 0))
        new.releaseConnection(of: old.endpoints[0])
        #expect(new.acquireConnection(endpoint: 0))
        var picker = Picker(new)
        #expect(picker.histogram(80, now: at(2.5))[1] == 1, "the trial, then the other one")
    }

    @Test("a lower limit after a reload gives no permit until enough came back")
    func lowered() {
        let old = upstream([endpoint(1)]) { $0.pool.maxConnections = 4 }
        for _ in 0..<4 { #expect(old.acquireConnection(endpoint: 0)) }
        let new = UpstreamState.make(
            config: configuration([endpoint(1)]) { $0.pool.maxConnections = 2 }, previous: old)
        for _ in 0..<2 { old.releaseConnection(endpoint: 0) }
        #expect(!new.acquireConnection(endpoint: 0))
        new.releaseConnection(endpoint: 0)
        #expect(new.acquireConnection(endpoint: 0))
    }

    @Test("the hash table is kept over a reload that leaves endpoints and weights alone")
    func tableKept() {
        let endpoints = [endpoint(1), endpoint(2)]
        let old = upstream(endpoints, .hash([]))
        let same = UpstreamState.make(config: configuration(endpoints, .hash([])), previous: old)
        #expect(same.table === old.table)
        let other = UpstreamState.make(
            config: configuration([endpoint(1, weight: 2), endpoint(2)], .hash([])), previous: old)
        #expect(other.table !== old.table)
    }

    @Test("a worker asks another that holds idle sessions, never itself")
    func idleHolders() {
        let state = upstream([endpoint(1)])
        state.noteIdle(0)
        state.noteIdle(3)
        #expect(state.takeIdleHolder(except: 3) == 0)
        #expect(state.takeIdleHolder(except: 3) == nil)
        #expect(state.takeIdleHolder(except: 0) == 3)
        #expect(state.takeIdleHolder(except: 0) == nil)
    }

    @Test("a worker tells whether others wait")
    func otherWaiters() {
        let state = upstream([endpoint(1)])
        #expect(!state.hasWaiters(besides: 0))
        state.addWaiter(2)
        #expect(!state.hasWaiters(besides: 2))
        #expect(state.hasWaiters(besides: 0))
        state.addWaiter(130)
        #expect(state.hasWaiters(besides: 2))
    }

    @Test("more endpoints than there may be are left out, not a trap")
    func tooMany() {
        #expect(upstream((0..<300).map { endpoint($0) }).endpoints.count == 256)
    }
}

private final class Shared: Sendable {
    let value = Atomic<Int>(0)
}
