package import Middleware
package import Telemetry
package import Config
import Containers
import EventLoop
import Linux
import Net
package import Upstream
import Synchronization
package import TLS

/// A listening socket of a listener.
package struct ListenerSocket: Sendable, Equatable {
    /// The listener's name.
    package var listener: String
    /// The gateway's own from here on.
    package var descriptor: Int32
    package var port: UInt16

    package init(listener: String, descriptor: Int32, port: UInt16) {
        self.listener = listener
        self.descriptor = descriptor
        self.port = port
    }
}

/// The engine as a whole: its workers, the snapshot in force, and what goes to all of them.
///
/// All calls come from one thread.
package final class Gateway {
    private let builder: SnapshotBuilder
    private let workers: Int
    private let connectionsLimit: Int
    private let loads: WorkerLoads
    private let memoryLimit: Int
    private let budget: GatewayBudget
    private var inboxes: [Inbox] = []
    private var wakeups: [Wakeup] = []
    private var threads = ThreadList()
    private let running: RunningWorkers
    private var sockets: [ListenerSocket] = []
    /// Stable numbers of listeners by name, over reloads.
    private var listenerNumbers: [String: Int] = [:]
    package private(set) var snapshot: Snapshot?
    private let log: AccessLog
    private let calls: CallPort
    private let onRefusal: @Sendable (ConnectionRefusal) -> Void
    private let heartbeats: Int32?
    private let warm: ([UpstreamState]) -> Void
    /// From the first listener with TLS on, for as long as the process lives: reloads do not end sessions. Not before: OpenSSL takes
    /// more than a megabyte for randomness and ciphers.
    private var tickets: TLSTicketKeys?
    /// Of the process before.
    private let inherited: TLSTicketKeys.Heritage?
    private let metrics: MetricsDesk
    /// Of the last publication.
    private var adoption: Adoption?

    /// - Parameters:
    ///   - workers: threads, at least one.
    ///   - connectionsLimit: descriptors that connections of all kinds may use.
    ///   - memoryLimit: bytes of buffers where the configuration names no limit.
    ///   - calls: opened when the workers start; for clients of our own, such as the sender of `subrequests`.
    ///   - metrics: what the metrics listener tells beside the workers' figures.
    ///   - tickets: the keys that the process before sealed sessions with.
    ///   - heartbeats: descriptor of the `Heartbeats` in which the workers count their turns; stays the caller's.
    ///   - onRefusal: told of connections that no log line of an exchange shows; on the workers' threads.
    ///   - warm: gets the upstreams of a configuration that nothing can stop any more but workers that do not start, and
    ///     returns when they may have requests.
    package init(
        workers: Int, connectionsLimit: Int, memoryLimit: Int = .max, kinds: MiddlewareKinds,
        subrequests: any SubrequestSender, log: AccessLog, calls: CallPort = CallPort(),
        metrics: MetricsDesk = MetricsDesk(), tickets: TLSTicketKeys.Heritage? = nil, heartbeats: Int32? = nil,
        onRefusal: @escaping @Sendable (ConnectionRefusal) -> Void = { _ in },
        warm: @escaping ([UpstreamState]) -> Void = { _ in }
    ) {
        inherited = tickets
        self.metrics = metrics
        self.heartbeats = heartbeats
        self.onRefusal = onRefusal
        self.warm = warm
        self.calls = calls
        self.workers = min(max(1, workers), Heartbeats.limit)
        self.connectionsLimit = max(64, connectionsLimit)
        self.log = log
        self.memoryLimit = memoryLimit
        budget = GatewayBudget(memory: memoryLimit)
        loads = WorkerLoads(workers: self.workers)
        running = RunningWorkers(count: self.workers)
        // Every client connection may need one to an upstream.
        builder = SnapshotBuilder(
            kinds: kinds, subrequests: subrequests, connectionsLimit: self.connectionsLimit / 2, metrics: metrics)
    }

    /// Starts the workers. Called once. When one cannot start, none serves.
    package func start(_ config: GatewayConfig, sockets: [ListenerSocket]) throws {
        let first = try compile(config)
        warm(first.upstreams)
        for _ in 0..<workers {
            let wakeup = try Wakeup()
            wakeups.append(wakeup)
            inboxes.append(Inbox { wakeup.signal() })
        }
        applyLimits(config)
        calls.open(inboxes)
        metrics.open(inboxes)
        let starts = try WorkerStarts(workers: workers)
        do {
            for index in 0..<workers { try startWorker(index, first, starts) }
            try starts.wait()
        } catch {
            stop()
            waitUntilStopped()
            throw error
        }
        snapshot = first
        limitUnsent(sockets, first)
        update(sockets)
    }

    /// Puts a configuration in force for every request that begins from now on. Throws before anything changed.
    package func publish(_ config: GatewayConfig, sockets: [ListenerSocket]) throws {
        let adoption = try Adoption(workers: workers)
        let next = try compile(config)
        warm(next.upstreams)
        snapshot = next
        applyLimits(config)
        for inbox in inboxes { inbox.post(.adopt(next)) }
        limitUnsent(sockets, next)
        update(sockets)
        for inbox in inboxes { inbox.post(.told(adoption)) }
        self.adoption = adoption
    }

    /// Waits until every worker runs new requests under the configuration that was published last, or for that time. How many
    /// do not yet.
    package func waitForWorkers(milliseconds: Int64) -> Int { adoption?.wait(milliseconds: milliseconds) ?? 0 }

    private func applyLimits(_ config: GatewayConfig) {
        budget.change(
            connections: config.limits.connections ?? connectionsLimit / 2,
            memory: config.limits.memory ?? memoryLimit)
    }

    private func compile(_ config: GatewayConfig) throws -> Snapshot {
        for listener in config.allListeners where listenerNumbers[listener.name] == nil {
            listenerNumbers[listener.name] = listenerNumbers.count
        }
        if tickets == nil, config.listeners.contains(where: { $0.tls != nil }) {
            tickets = TLSTicketKeys()
            // What nobody can take over is as if there had been none.
            if let inherited { _ = tickets?.adopt(inherited) }
        }
        return try builder.build(
            config, previous: snapshot, numbers: listenerNumbers, lanes: try log.numbers(for: config), tickets: tickets)
    }

    private func startWorker(_ index: Int, _ snapshot: Snapshot, _ starts: WorkerStarts) throws {
        let wakeup = wakeups[index]
        let context = WorkerContext(
            index: index, inboxes: inboxes, loads: loads, connectionsLimit: connectionsLimit,
            executor: WorkerExecutor { wakeup.signal() }, budget: budget, log: log, onRefusal: onRefusal)
        let running = running
        let heartbeats = heartbeats
        let isPinned = workers > 1
        try threads.start(name: "worker-\(index)") {
            if isPinned { Thread.pin(toCPU: index) }
            EpollWorker.run(
                context: context, wake: wakeup, snapshot: snapshot, running: running, heartbeats: heartbeats,
                begun: starts.note)
        }
    }

    /// Connections that are accepted from here on inherit it. A Unix socket has no such limit, and a small buffer.
    private func limitUnsent(_ sockets: [ListenerSocket], _ snapshot: Snapshot) {
        for socket in sockets {
            guard let number = listenerNumbers[socket.listener], let state = snapshot.listener(numbered: number) else {
                continue
            }
            Socket.limitUnsent(socket.descriptor, to: state.unsentLimit)
        }
    }

    /// Listens on new sockets and stops on those that are gone; the last worker to stop closes the descriptor.
    private func update(_ next: [ListenerSocket]) {
        for old in sockets where !next.contains(where: { $0.descriptor == old.descriptor }) {
            let closing = ClosingDescriptors([old.descriptor], holders: workers)
            for inbox in inboxes { inbox.post(.stopListening(closing)) }
        }
        for socket in next where !sockets.contains(where: { $0.descriptor == socket.descriptor }) {
            guard let number = listenerNumbers[socket.listener] else { continue }
            let listening = ListeningSocket(descriptor: socket.descriptor, listener: number, port: socket.port)
            for inbox in inboxes { inbox.post(.listen(listening)) }
        }
        sockets = next
    }

    /// Stops listening and lets every exchange end; closes what is left after `timeout`.
    package func drain(timeout: Duration) {
        let closing = ClosingDescriptors(sockets.map(\.descriptor), holders: workers)
        for inbox in inboxes { inbox.post(.drain(timeout: timeout.wholeNanoseconds, closing: closing)) }
        sockets = []
    }

    /// Closes everything now.
    package func stop() {
        for inbox in inboxes { inbox.post(.stop) }
    }

    /// The keys that sessions are sealed with, for a successor; they change with time. Nil: no session ever was.
    package var ticketKeys: TLSTicketKeys.Heritage? { tickets?.heritage }

    package var isStopped: Bool { running.count.load(ordering: .acquiring) == 0 }

    /// Waits until every worker has ended. Only after `drain` or `stop`.
    package func waitUntilStopped() {
        threads.joinAll()
    }
}

/// Workers that have not ended.
final class RunningWorkers: Sendable {
    let count: Atomic<Int>

    init(count: Int) { self.count = Atomic(count) }
}

/// Descriptors that several workers listen on; the last one that stops closes them.
package final class ClosingDescriptors: Sendable {
    let numbers: [Int32]
    private let holders: Atomic<Int>

    package init(_ numbers: [Int32], holders: Int) {
        self.numbers = numbers
        self.holders = Atomic(holders)
    }

    func letGo() {
        guard holders.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue == 0 else { return }
        for number in numbers { _ = FileDescriptor(owning: number) }
    }
}

/// The worker threads, joined once.
struct ThreadList: ~Copyable {
    private var threads: [JoinOnce] = []

    init() {}

    mutating func start(name: String, _ body: @escaping @Sendable () -> Void) throws {
        threads.append(JoinOnce(try Thread(name: name, body)))
    }

    mutating func joinAll() {
        for thread in threads { thread.join() }
        threads = []
    }
}

private final class JoinOnce {
    private var thread: Thread?

    init(_ thread: consuming Thread) { self.thread = consume thread }

    func join() {
        if let thread = thread.take() { thread.join() }
    }
}
