import Config
import Containers
import EventLoop
import Middleware
import Net
import Proxy
import Telemetry
import Upstream

/// The gateway that ships, but for its threads: workers on simulated drivers, which take turns in any order.
final class SimulatedGateway {
    private let network: SimulatedNetwork
    private let plan: WorldPlan
    private let inboxes: [Inbox]
    private let loads: WorkerLoads
    private var workers: [SimulatedWorker] = []
    private let builder: SnapshotBuilder
    /// All that were ever in force.
    private var snapshots: [Snapshot] = []
    /// Connections to an upstream, at most, by the most generous configuration so far.
    private var connectionsMost: [String: Int] = [:]

    init(_ plan: WorldPlan, _ config: GatewayConfig, network: SimulatedNetwork, mutation: Mutation?) throws {
        self.network = network
        self.plan = plan
        loads = WorkerLoads(workers: plan.workers)
        builder = SnapshotBuilder(
            kinds: MiddlewareKinds(), subrequests: NoSubrequests(), connectionsLimit: plan.connectionsLimit)
        let drivers = (0..<plan.workers).map { _ in SimulatedWake() }
        inboxes = drivers.map { wake in Inbox { wake.signal() } }
        let snapshot = try adopt(config)
        for index in 0..<plan.workers {
            let wake = drivers[index]
            let context = WorkerContext(
                index: index, inboxes: inboxes, loads: loads, connectionsLimit: plan.connectionsLimit,
                executor: WorkerExecutor { wake.signal() }, relayedLength: plan.relayedLength)
            let driver = SimulatedDriver(
                network: network, connections: 2 * plan.connectionsLimit + 200, isPolled: true, wake: wake,
                mutation: mutation)
            let worker = Worker(driver: driver, context: context, snapshot: snapshot, seed: network.random.next())
            workers.append(SimulatedWorker(worker, inbox: inboxes[index], network: network))
            inboxes[index].post(.listen(Self.listening))
        }
        scheduleEnd()
    }

    private static var listening: ListeningSocket {
        ListeningSocket(descriptor: Simulation.listenerDescriptor, listener: 0, port: 80)
    }

    // MARK: Turns

    var isStopped: Bool { workers.allSatisfy { $0.isStopped } }

    /// Lets each worker that has something to do have a turn; time passes when none has.
    func turn() {
        if !isStopped, network.random.below(20 * workers.count) == 0, network.happens(.reload) { reload() }
        var hasRun = false
        let first = network.random.below(workers.count)
        for step in workers.indices where workers[(first + step) % workers.count].turn() {
            hasRun = true
            check()
        }
        if hasRun { return }
        var next = network.nextEvent
        for worker in workers where !worker.isStopped { next = min(next, worker.worker.driver.nextTime) }
        network.isQuiescent = next == .never
        if isStopped { network.closeListener(Simulation.listenerDescriptor) }
        if next != .never { network.advance(to: next) }
    }

    /// What must hold between any two turns.
    private func check() {
        guard let snapshot = snapshots.last else { return }
        var connections = 0
        for upstream in snapshot.upstreams {
            let gauges = upstream.gauges
            connections += gauges.connections
            if gauges.connections > connectionsMost[upstream.name, default: 0] {
                network.violate("\(gauges.connections) connections to \(upstream.name)")
            }
            if gauges.pending > upstream.config.pool.maxPending || gauges.pending < 0 {
                network.violate("\(gauges.pending) requests wait for \(upstream.name)")
            }
            if gauges.retries < 0 || gauges.requests < 0 { network.violate("\(upstream.name): \(gauges)") }
        }
        if connections != network.upstreamOpen {
            network.violate("\(connections) permits for \(network.upstreamOpen) connections to origins")
        }
    }

    // MARK: Configurations

    private func adopt(_ config: GatewayConfig) throws -> Snapshot {
        let snapshot = try builder.build(
            config, previous: snapshots.last, numbers: ["default": 0], lanes: LogLaneNumbers())
        snapshots.append(snapshot)
        for upstream in config.upstreams {
            connectionsMost[upstream.name] = max(
                connectionsMost[upstream.name, default: 0], upstream.pool.maxConnections)
        }
        return snapshot
    }

    /// Puts other configurations in force, one after the other.
    private func reload() {
        let count = network.random.below(8) == 0 && network.happens(.reloadStorm) ? 2 + network.random.below(20) : 1
        for _ in 0..<count {
            guard let config = snapshots.last?.config,
                let next = try? adopt(WorldConfig.change(config, &network.random))
            else {
                network.violate("a configuration did not compile")
                return
            }
            for inbox in inboxes { inbox.post(.adopt(next)) }
        }
    }

    // MARK: The end

    private func scheduleEnd() {
        switch plan.ending {
        case .none: break
        case .drains(let after, let timeout):
            network.after(after) { [unowned self] in
                network.note { "the gateway drains" }
                begins(ending: timeout)
                let closing = ClosingDescriptors([Simulation.listenerDescriptor], holders: inboxes.count)
                for inbox in inboxes { inbox.post(.drain(timeout: timeout, closing: closing)) }
            }
        case .stops(let after):
            network.after(after) { [unowned self] in
                network.note { "the gateway stops" }
                begins(ending: 0)
                for inbox in inboxes { inbox.post(.stop) }
            }
        }
    }

    private func begins(ending timeout: Int64) {
        network.inflicts(timeout > 0 ? .drain : .stop)
        network.endsAt = network.now
        network.endedAt = network.now.advanced(by: timeout)
    }

    /// What is still in its tables when nothing should be; empty when all is clean.
    func leftovers() -> [String] {
        var found: [String] = []
        if network.endsAt != .never, !isStopped { found.append("a worker that does not end") }
        for worker in workers {
            let accounts = worker.worker.accounts
            var expected = WorkerAccounts()
            expected.snapshots = 1
            expected.pools = worker.isStopped ? accounts.pools : snapshots.last?.upstreams.count ?? 0
            if accounts != expected { found.append("\(accounts)") }
        }
        for upstream in snapshots.flatMap(\.upstreams) {
            let gauges = upstream.gauges
            let isZero = gauges.connections == 0 && gauges.pending == 0 && gauges.retries == 0 && gauges.requests == 0
            if !isZero { found.append("\(gauges)") }
        }
        for index in workers.indices where loads.load(index) != 0 && !workers[index].isStopped {
            found.append("\(loads.load(index)) connections counted for worker \(index)")
        }
        return found
    }
}
