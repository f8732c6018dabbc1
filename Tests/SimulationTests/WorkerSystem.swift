import Config
import Containers
import EventLoop
import Middleware
import Net
import Proxy
import Simulation
import Telemetry
import Upstream

/// The worker that ships, on the simulated driver, under a configuration that the seed draws.
struct WorkerSystem: SimulatedSystem, ~Copyable {
    private static let connections = 400

    private var worker: Worker<SimulatedDriver>
    private let network: SimulatedNetwork
    private let inbox: Inbox
    private let loads = WorkerLoads(workers: 1)
    private let builder = SnapshotBuilder(
        kinds: MiddlewareKinds(), subrequests: NoSubrequests(), connectionsLimit: connections)
    /// In force, and before it.
    private var snapshots: [Snapshot]

    init(
        driver: consuming SimulatedDriver, network: SimulatedNetwork, config: GatewayConfig, relayedLength: Int
    ) throws {
        let wake = network.wake
        inbox = Inbox { wake.signal() }
        self.network = network
        let snapshot = try Self.build(builder, config, nil)
        snapshots = [snapshot]
        let context = WorkerContext(
            index: 0, inboxes: [inbox], loads: loads, connectionsLimit: Self.connections,
            executor: WorkerExecutor { wake.signal() }, relayedLength: relayedLength)
        worker = Worker(driver: driver, context: context, snapshot: snapshot, seed: network.random.next())
        inbox.post(.listen(ListeningSocket(descriptor: Simulation.listenerDescriptor, listener: 0, port: 80)))
    }

    private static func build(
        _ builder: SnapshotBuilder, _ config: GatewayConfig, _ previous: Snapshot?
    ) throws -> Snapshot {
        try builder.build(config, previous: previous, numbers: ["default": 0], lanes: LogLaneNumbers())
    }

    mutating func turn() {
        if network.random.below(20) == 0, network.happens(.reload) { reload() }
        worker.turn()
    }

    /// Puts another configuration of the same shape in force; what a seed's world allows stays the same.
    private mutating func reload() {
        guard let previous = snapshots.last else { return }
        var config = previous.config
        config.upstreams[0].timeouts.response = .milliseconds(2_500 + network.random.below(1_000))
        if network.random.below(3) == 0 {
            let count = 1 + network.random.below(Simulation.origins.count)
            config.upstreams[0].endpoints = Simulation.origins.prefix(count).map { WorkerConfig.endpoint($0) }
        }
        guard let next = try? Self.build(builder, config, previous) else {
            network.violate("a configuration did not compile")
            return
        }
        snapshots.append(next)
        inbox.post(.adopt(next))
    }

    func leftovers() -> [String] {
        var found: [String] = []
        let accounts = worker.accounts
        var expected = WorkerAccounts()
        expected.snapshots = 1
        if accounts != expected { found.append("\(accounts)") }
        for upstream in snapshots.flatMap(\.upstreams) {
            let gauges = upstream.gauges
            let isZero = gauges.connections == 0 && gauges.pending == 0 && gauges.retries == 0 && gauges.requests == 0
            if !isZero { found.append("\(gauges)") }
        }
        if loads.load(0) != 0 { found.append("\(loads.load(0)) connections counted") }
        return found
    }
}

/// The configuration of one seed: one listener, one route, one upstream with some endpoints.
enum WorkerConfig {
    static func draw(seed: UInt64) -> GatewayConfig {
        var random = RandomSource(seed: seed ^ 0xC0F1_60AD)
        let place = Location(file: "simulation", line: 1, column: 1)
        var config = GatewayConfig()
        config.accessLog = nil
        var listener = ListenerConfig(location: place)
        listener.bind = [.address(Simulation.listenerAddress)]
        listener.timeouts.head = .seconds(4)
        listener.timeouts.bodyIdle = .seconds(4)
        listener.timeouts.writeIdle = .seconds(4)
        listener.timeouts.keepAlive = .seconds(20)
        config.listeners = [listener]
        var upstream = UpstreamConfig(name: "origin", location: place)
        upstream.endpoints = Simulation.origins.prefix(1 + random.below(3)).map { endpoint($0) }
        upstream.balance = [.roundRobin, .leastRequests, .powerOfTwo, .random, .hash([.clientIP])][random.below(5)]
        upstream.timeouts.connect = .seconds(1)
        upstream.timeouts.response = .seconds(3)
        upstream.timeouts.bodyIdle = .seconds(3)
        // Waiting for one of few connections must not be a failure in a world without faults.
        upstream.timeouts.queue = .seconds(100)
        upstream.pool.maxConnections = [1, 2, 5, 100][random.below(4)]
        upstream.pool.idleTimeout = .milliseconds([20, 300, 15_000, 200_000][random.below(4)])
        config.upstreams = [upstream]
        let path = RouteConfig.Path(segments: [.tail(nil)], hasTrailingSlash: false, source: "/*")
        config.routes = [RouteConfig(name: "all", path: path, action: .upstream("origin"), location: place)]
        return config
    }

    /// Content from which on the worker has the driver move it.
    static func drawRelayedLength(seed: UInt64) -> Int {
        var random = RandomSource(seed: seed ^ 0x4E1A_7ED0)
        return [1, 1, 500, WorkerContext.relayedLengthDefault, .max][random.below(5)]
    }

    static func endpoint(_ address: SocketAddress) -> UpstreamConfig.Endpoint {
        let target: UpstreamConfig.Endpoint.Target
        if case .unix(let path) = address { target = .unix(path: path) } else { target = .address(address) }
        return UpstreamConfig.Endpoint(url: "http://\(address)", target: target, authority: "origin.test")
    }
}
