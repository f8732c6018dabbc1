import Client
import Config
import DNS
import EventLoop
import Logging
import Net
import Proxy
import Telemetry
import Middleware

/// The engine that ships, as the life cycle sees it.
final class ProxyEngine: GatewayEngine {
    /// Descriptors that are no connections: logs, listeners, event loops, files that a reload reads.
    private static let reserve = 256
    /// Milliseconds: a worker that takes longer to hear of a configuration hangs.
    private static let adoptionPatience: Int64 = 10_000
    private static let reservePerWorker = 8 + EpollDriver.pipeDescriptors

    private let gateway: Gateway
    private let metrics: MetricsDesk
    private let reloads: ReloadRequests?
    private let names: EndpointNames

    /// - Parameters:
    ///   - files: how many descriptors this process may have.
    ///   - kinds: middleware beside the built-in kinds.
    ///   - heartbeats: descriptor of the `Heartbeats` that the supervisor looks at; nil: there is none.
    ///   - sessionKeys: of the process before.
    ///   - reloads: those that clients of the admin API ask for.
    ///   - nameServers: `address:port`, several with commas; nil: those of the system.
    init(
        _ config: GatewayConfig, files: Int, kinds: MiddlewareKinds, log: AccessLog, logger: Logger, heartbeats: Int32?,
        sessionKeys: SessionKeys? = nil, reloads: ReloadRequests? = nil, nameServers: String? = nil,
        timing: ResolverTiming = ResolverTiming()
    ) {
        let workers = Self.workers(config)
        let metrics = MetricsDesk(reloads: reloads)
        self.metrics = metrics
        self.reloads = reloads
        let calls = CallPort()
        let names = EndpointNames(logger, servers: nameServers, timing: timing)
        self.names = names
        gateway = Gateway(
            workers: workers, connectionsLimit: files - min(files / 2, Self.reserve + Self.reservePerWorker * workers),
            memoryLimit: MemoryQuota.buffers(), kinds: kinds, subrequests: GatewayClient(port: calls), log: log,
            calls: calls, metrics: metrics, tickets: try? sessionKeys?.heritage, heartbeats: heartbeats,
            onRefusal: { logger.info("\($0)") }, warm: { names.warm($0) })
    }

    private static func workers(_ config: GatewayConfig) -> Int {
        switch config.workers {
        case .auto: CPUQuota.workers()
        case .count(let count): count
        }
    }

    func start(_ config: GatewayConfig, listeners: [BoundListener]) throws {
        defer { keepNames() }
        try gateway.start(config, sockets: listeners.map(Self.socket))
    }

    func publish(_ config: GatewayConfig, listeners: [BoundListener]) throws {
        defer { keepNames() }
        try gateway.publish(config, sockets: listeners.map(Self.socket))
    }

    /// Keeps the host names among the endpoints in force resolved, be they new or, after a failure, those of before.
    private func keepNames() {
        names.keep(gateway.snapshot?.upstreams ?? [])
    }

    private static func socket(_ listener: BoundListener) -> ListenerSocket {
        var port: UInt16 = 0
        if case .ip(_, port: let number) = listener.address { port = number }
        return ListenerSocket(listener: listener.name, descriptor: listener.descriptor, port: port)
    }

    func waitForWorkers() -> Int { gateway.waitForWorkers(milliseconds: Self.adoptionPatience) }
    func tell(_ change: (inout MetricsDesk.Facts) -> Void) { metrics.change(change) }
    func answer(_ outcome: ReloadOutcome) { reloads?.answer(outcome) }
    func drain(timeout: Duration) { gateway.drain(timeout: timeout) }
    func stop() { gateway.stop() }
    var sessionKeys: SessionKeys? { gateway.ticketKeys.map { SessionKeys($0) } }
    var isStopped: Bool { gateway.isStopped }
    func waitUntilStopped() {
        gateway.waitUntilStopped()
        names.stop()
    }
}
