import Config
import Containers
import EventLoop
import HTTP
import Middleware
import Net
import Proxy
import Simulation
import Telemetry

/// One worker that ships on the simulated driver, and what must hold when everything is over: nothing is left in its
/// tables, no buffer is lost, no socket is open, and nothing was queued beyond its bound.
struct FuzzWorld: ~Copyable {
    static let origin = SocketAddress.ip(.v4(0x0A00_0101), port: 9_000)
    private static let connections = 8
    private static let turnsLimit = 60_000
    private static let queuedBytesLimit = 196_608

    let network: SimulatedNetwork
    private let loads = WorkerLoads(workers: 1)
    private var worker: Worker<SimulatedDriver>
    private var baseline = 0

    /// The settings that inputs choose.
    struct Settings {
        var seed: UInt64
        var hasFaults = false
        var sendsProxyHeader = false
        var isTrusted = false
        var isTight = false
        /// Those that know beforehand.
        var clientsSpeakHTTP2 = false
        var originSpeaksHTTP2 = false
        /// And reads `//` as `/`.
        var rejectsEncodedSlash = false

        var pathRules: CanonicalPath.Rules {
            var rules = CanonicalPath.Rules()
            rules.rejectsEncodedSlash = rejectsEncodedSlash
            rules.mergesSlashes = rejectsEncodedSlash
            return rules
        }
    }

    init(_ settings: Settings) throws(FuzzViolation) {
        var faults = FaultPlan()
        if settings.hasFaults {
            for kind in [FaultKind.partialRead, .partialWrite, .delay, .reorder, .heldBackEvent, .batch, .spuriousWake]
            {
                faults[kind] = 100
            }
        }
        network = SimulatedNetwork(seed: settings.seed, faults: faults)
        network.openListener(Simulation.listenerDescriptor, address: Simulation.listenerAddress)
        let wake = SimulatedWake()
        let inbox = Inbox { wake.signal() }
        let snapshot: Snapshot
        do {
            let builder = SnapshotBuilder(
                kinds: MiddlewareKinds(), subrequests: NoSubrequests(), connectionsLimit: Self.connections)
            snapshot = try builder.build(
                Self.config(settings), previous: nil, numbers: ["default": 0], lanes: LogLaneNumbers())
        } catch {
            throw FuzzViolation("the configuration does not compile: \(error)")
        }
        let context = WorkerContext(
            index: 0, inboxes: [inbox], loads: loads, connectionsLimit: Self.connections,
            executor: WorkerExecutor { wake.signal() }, relayedLength: settings.seed % 2 == 0 ? 1 : 65_536)
        worker = Worker(
            driver: SimulatedDriver(network: network, connections: 2 * Self.connections, wake: wake), context: context,
            snapshot: snapshot, seed: settings.seed)
        inbox.post(.listen(ListeningSocket(descriptor: Simulation.listenerDescriptor, listener: 0, port: 80)))
    }

    private static func config(_ settings: Settings) -> GatewayConfig {
        let place = Location(file: "fuzzing", line: 1, column: 1)
        var config = GatewayConfig()
        config.accessLog = nil
        var listener = ListenerConfig(location: place)
        listener.bind = [.address(Simulation.listenerAddress)]
        if settings.isTight {
            listener.limits.head = 512
            listener.limits.fields = 8
        }
        listener.pathRules.encodedSlash = settings.rejectsEncodedSlash ? .reject : .keep
        listener.pathRules.mergeSlashes = settings.rejectsEncodedSlash
        if settings.clientsSpeakHTTP2 { listener.protocols = [.http1, .http2Cleartext] }
        if settings.sendsProxyHeader { listener.proxyProtocol = [everybody] }
        if settings.isTrusted { config.trustedProxies = [.block(everybody)] }
        config.listeners = [listener]
        var upstream = UpstreamConfig(name: "origin", location: place)
        upstream.endpoints = [
            .init(url: "http://\(origin)", target: .address(origin), authority: "origin.test")
        ]
        if settings.originSpeaksHTTP2 { upstream.protocolVersion = .http2Cleartext }
        upstream.pool.maxConnections = 4
        config.upstreams = [upstream]
        let path = RouteConfig.Path(segments: [.tail(nil)], hasTrailingSlash: false, source: "/*")
        config.routes = [RouteConfig(name: "all", path: path, action: .upstream("origin"), location: place)]
        return config
    }

    private static let everybody = CIDRBlock(address: .v4(0), prefix: 0)

    /// Lets time pass until everybody is done and the gateway has closed what it keeps.
    mutating func run(until isDone: () -> Bool) throws(FuzzViolation) {
        worker.turn()
        worker.turn()
        baseline = network.buffersOutstanding
        var turns = 2
        while turns < Self.turnsLimit, network.violations.isEmpty {
            worker.turn()
            turns += 1
            if isDone(), network.openSockets == 0 || network.isQuiescent { break }
        }
        // What was closed in the last turn is counted in the next.
        worker.turn()
        try check(turns)
        network.end()
    }

    private func check(_ turns: Int) throws(FuzzViolation) {
        try require(network.violations.isEmpty, network.violations.first ?? "")
        try require(turns < Self.turnsLimit, "no end after \(turns) turns")
        try require(network.openSockets == 0, "\(network.openSockets) sockets left open")
        let lost = network.buffersOutstanding - baseline
        try require(lost == 0, "\(lost) buffers lost")
        try require(network.queuedBytesMax <= Self.queuedBytesLimit, "\(network.queuedBytesMax) bytes queued")
        var expected = WorkerAccounts()
        expected.snapshots = 1
        // That of the one upstream, when it was asked for.
        expected.pools = min(worker.accounts.pools, 1)
        try require(worker.accounts == expected, "left over: \(worker.accounts)")
        try require(loads.load(0) == 0, "\(loads.load(0)) connections counted")
    }
}
