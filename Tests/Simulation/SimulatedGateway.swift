import Client
import Config
import Containers
import EventLoop
import Middleware
import Net
import Proxy
import TLS
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
    private let shadow: ShadowModel
    private let limiter: LimiterModel
    private let desk = VirtualDesk()
    private let executors: [WorkerExecutor]
    /// Runs the tasks of programs that use the gateway's own client.
    private let programs: WorkerExecutor
    private let programsWake = SimulatedWake()
    private let callOrigin: UpstreamState
    private var caller: FakeCaller?
    /// Of the one name.
    private var addresses: [IPAddress] = []
    /// What tasks wait for that comes at its time.
    private var owed: [Int: Owed] = [:]
    private var debts = 0
    /// Decisions that never come.
    private var forgotten: [CheckedContinuation<ExchangeKind.Decision, Never>] = []
    private let tickets = TLSTicketKeys()
    /// All that were ever in force.
    private var snapshots: [Snapshot] = []
    /// Connections to an upstream, at most, by the most generous configuration so far.
    private var connectionsMost: [String: Int] = [:]

    init(
        _ plan: WorldPlan, _ config: GatewayConfig, seed: UInt64, network: SimulatedNetwork, shadow: ShadowModel,
        mutation: Mutation?
    ) throws {
        self.network = network
        self.shadow = shadow
        self.plan = plan
        callOrigin = UpstreamState.make(config: WorldConfig.callOrigin(seed: seed), previous: nil)
        limiter = LimiterModel(network: network, shadow: shadow)
        loads = WorkerLoads(workers: plan.workers)
        let calls = CallPort()
        builder = SnapshotBuilder(
            kinds: SimulatedMiddleware.kinds(desk), subrequests: GatewayClient(port: calls),
            connectionsLimit: plan.connectionsLimit)
        let drivers = (0..<plan.workers).map { _ in SimulatedWake() }
        inboxes = drivers.map { wake in Inbox { wake.signal() } }
        executors = drivers.map { wake in WorkerExecutor { wake.signal() } }
        programs = WorkerExecutor { [programsWake] in programsWake.signal() }
        calls.open(inboxes)
        connectionsMost[callOrigin.name] = callOrigin.config.pool.maxConnections
        let snapshot = try adopt(config)
        for index in 0..<plan.workers {
            let wake = drivers[index]
            let context = WorkerContext(
                index: index, inboxes: inboxes, loads: loads, connectionsLimit: plan.connectionsLimit,
                executor: executors[index], relayedLength: plan.relayedLength)
            let driver = SimulatedDriver(
                network: network, connections: 2 * plan.connectionsLimit + 200, isPolled: true, wake: wake,
                mutation: mutation)
            let worker = Worker(driver: driver, context: context, snapshot: snapshot, seed: network.random.next())
            workers.append(SimulatedWorker(worker, inbox: inboxes[index], network: network))
            for (number, descriptor) in Self.descriptors.enumerated() {
                inboxes[index].post(.listen(ListeningSocket(descriptor: descriptor, listener: number, port: 80)))
            }
        }
        scheduleEnd()
        scheduleNames()
    }

    private static let descriptors = [
        Simulation.listenerDescriptor, Simulation.proxiedDescriptor, Simulation.securedDescriptor,
    ]

    // MARK: Names

    /// The resolver: what it found for the one name that there is.
    private func scheduleNames() {
        if network.happens(.dnsLate) {
            let delay = Int64(network.random.below(2_000)) * 1_000_000
            network.excuse(until: network.now.advanced(by: delay))
            network.after(delay) { [unowned self] in resolve([1, 2]) }
        } else {
            resolve([1])
        }
        for _ in 0..<network.random.below(6) {
            network.after(Int64(network.random.below(4_000)) * 1_000_000) { [unowned self] in
                if network.happens(.dnsChanges) { resolve([[1], [2], [1, 2], [2, 1]][network.random.below(4)]) }
                guard network.happens(.dnsGone) else { return }
                let pause = Int64(network.random.below(2_000)) * 1_000_000
                network.excuse(until: network.now.advanced(by: pause))
                resolve([])
                network.after(pause) { [unowned self] in resolve([2]) }
            }
        }
    }

    private func resolve(_ numbers: [UInt32]) {
        addresses = numbers.map { .v4(0x0A00_0100 + $0) }
        network.note { "the name has \(numbers.count) addresses" }
        for snapshot in snapshots { tellNames(snapshot) }
    }

    private func tellNames(_ snapshot: Snapshot) {
        for upstream in snapshot.upstreams { upstream.setAddresses(of: Simulation.originName, addresses) }
    }

    // MARK: Turns

    /// Whether it has ended, if it was told to.
    var hasEnded: Bool {
        network.endsAt == .never || isStopped || network.now >= network.endedAt.advanced(by: 60_000_000_000)
    }
    var isStopped: Bool { workers.allSatisfy { $0.isStopped } }

    /// Lets each worker that has something to do have a turn; time passes when none has.
    func turn() {
        if !isStopped, network.random.below(20 * workers.count) == 0, network.happens(.reload) { reload() }
        var hasRun = false
        let first = network.random.below(workers.count)
        for step in workers.indices where workers[(first + step) % workers.count].turn() {
            hasRun = true
            // At once: the next one's turn may already show clients what the limiter said.
            limiter.follow(desk.takeProbes())
            let index = (first + step) % workers.count
            network.streamBytesMax = max(network.streamBytesMax, workers[index].worker.mostBytesOfStream())
            check()
        }
        if programsWake.take() {
            programs.runJobs()
            hasRun = true
        }
        serveDesk()
        if hasRun { return }
        var next = network.nextEvent
        for worker in workers where !worker.isStopped { next = min(next, worker.worker.driver.base.nextTime) }
        network.isQuiescent = next == .never
        if isStopped { for descriptor in Self.descriptors { network.closeListener(descriptor) } }
        if next != .never { network.advance(to: next) }
    }

    /// What tasks wait for gets its time.
    private func serveDesk() {
        for question in desk.takeQuestions() { decide(question) }
        for sleep in desk.takeSleeps() {
            network.inflicts(.callSlowReader)
            let number = owe(Owed(sleep: sleep.end))
            network.after(sleep.nanoseconds) { [unowned self] in owed.removeValue(forKey: number)?.pay() }
        }
        caller?.take(desk.takeResults())
    }

    private func decide(_ question: VirtualDesk.Question) {
        guard let exchange = shadow.exchange(question.nonce), case .decided(let decision) = exchange.plan.kind else {
            network.violate("a decision on \(question.nonce) is asked for")
            question.answer.resume(returning: .replies)
            return
        }
        switch decision {
        case .passes: break
        case .replies: network.inflicts(.decisionReplies)
        case .late:
            network.inflicts(.decisionLate)
            exchange.taints.append("decided late")
        case .missing:
            network.inflicts(.decisionMissing)
            exchange.taints.append("not decided")
            forgotten.append(question.answer)
            return
        }
        let number = owe(Owed(decision: question.answer, verdict: decision))
        network.after(exchange.plan.decisionDelay) { [unowned self] in owed.removeValue(forKey: number)?.pay() }
    }

    private func owe(_ debt: Owed) -> Int {
        debts += 1
        owed[debts] = debt
        return debts
    }

    /// Whether a task still waits for something that comes.
    var isOwing: Bool { !owed.isEmpty }

    var limiterRefusals: Int { limiter.refused }

    // MARK: Programs

    func makeCalls() {
        let count = network.random.below(2) * network.random.below(8)
        let plans = (0..<count).map { ExchangePlan.draw(number: 1_000 + $0, network: network, isCall: true) }
        caller = FakeCaller(
            plans, origin: callOrigin, inboxes: inboxes, executor: programs, desk: desk, network: network,
            shadow: shadow)
    }

    var areCallsDone: Bool { caller?.isDone ?? true }

    /// Lets every task end.
    func end() {
        for debt in owed.values { debt.pay() }
        for answer in forgotten { answer.resume(returning: .replies) }
        for question in desk.takeQuestions() { question.answer.resume(returning: .replies) }
        for sleep in desk.takeSleeps() { sleep.end.resume() }
        for executor in executors + [programs] { executor.runJobs() }
    }

    /// What must hold between any two turns.
    private func check() {
        guard let snapshot = snapshots.last else { return }
        var connections = 0
        for upstream in snapshot.upstreams + [callOrigin] {
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
            config, previous: snapshots.last, numbers: ["default": 0, "proxied": 1, "secured": 2],
            lanes: LogLaneNumbers(), tickets: tickets)
        snapshots.append(snapshot)
        tellNames(snapshot)
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
                let closing = ClosingDescriptors(Self.descriptors, holders: inboxes.count)
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
        for upstream in snapshots.flatMap(\.upstreams) + [callOrigin] {
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

/// Something that a task waits for.
private struct Owed {
    var decision: CheckedContinuation<ExchangeKind.Decision, Never>?
    var verdict = ExchangeKind.Decision.replies
    var sleep: CheckedContinuation<Void, Never>?

    func pay() {
        decision?.resume(returning: verdict)
        sleep?.resume()
    }
}
