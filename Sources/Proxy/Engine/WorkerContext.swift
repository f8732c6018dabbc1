import Middleware
package import Telemetry
import Containers
package import EventLoop
import HTTP1
import Synchronization

/// What a worker knows of the process around it.
package final class WorkerContext: Sendable {
    package let index: Int
    package let inboxes: [Inbox]
    /// Open downstream connections of each worker, for spreading new ones.
    package let loads: WorkerLoads
    package let budget: GatewayBudget
    /// Downstream and upstream connections, each, that this worker may have.
    package let connectionsLimit: Int
    /// Runs asynchronous middleware of this worker; nil where there is none (simulation).
    package let executor: WorkerExecutor
    let log: AccessLog?
    /// Content with so many bytes to come goes from socket to socket without passing through here.
    let relayedLength: Int
    let responseParser = ResponseParser()
    /// Keys of `hash` balancing: the same on every worker, and over restarts, so that a key keeps its endpoint.
    let hash = KeyHash.shared
    package static let relayedLengthDefault = 65_536
    private let onRefusal: @Sendable (ConnectionRefusal) -> Void

    package init(
        index: Int, inboxes: [Inbox], loads: WorkerLoads, connectionsLimit: Int, executor: WorkerExecutor,
        budget: GatewayBudget = GatewayBudget(), log: AccessLog? = nil,
        relayedLength: Int = WorkerContext.relayedLengthDefault,
        onRefusal: @escaping @Sendable (ConnectionRefusal) -> Void = { _ in }
    ) {
        self.index = index
        self.inboxes = inboxes
        self.loads = loads
        self.budget = budget
        self.connectionsLimit = connectionsLimit
        self.executor = executor
        self.log = log
        self.relayedLength = relayedLength
        self.onRefusal = onRefusal
    }

    /// Connections were closed before anybody could be answered. At most once a second for each reason.
    func report(_ refusal: ConnectionRefusal) { onRefusal(refusal) }

    package var inbox: Inbox { inboxes[index] }
}

/// Open downstream connections per worker.
package final class WorkerLoads: Sendable {
    private let counts: [ConnectionCount]

    package init(workers: Int) {
        counts = (0..<workers).map { _ in ConnectionCount() }
    }

    func raise(_ worker: Int) { counts[worker].open.wrappingAdd(1, ordering: .relaxed) }
    func lower(_ worker: Int) { counts[worker].open.wrappingSubtract(1, ordering: .relaxed) }
    /// The worker has ended.
    func close(_ worker: Int) { counts[worker].open.store(.max / 2, ordering: .relaxed) }
    package func load(_ worker: Int) -> Int { counts[worker].open.load(ordering: .relaxed) }

    /// Of all workers.
    var total: Int {
        var sum = 0
        // Those that have ended have none.
        for index in counts.indices where load(index) < .max / 4 { sum &+= load(index) }
        return sum
    }

    /// The worker that should have a connection which `worker` accepted: itself, unless it is clearly ahead of the least
    /// loaded one.
    func better(than worker: Int) -> Int {
        guard counts.count > 1 else { return worker }
        var best = worker
        var least = Int.max
        for index in counts.indices {
            let load = load(index)
            if load < least {
                least = load
                best = index
            }
        }
        let own = load(worker)
        return own > least + 1 + least / 16 ? best : worker
    }
}
