import Config
import Containers
import EventLoop
import Middleware
import Net
import Proxy
import Simulation
import Telemetry
import Upstream

/// A worker in a world without faults, with peers that do what a test says: for behaviour over time, seconds of which pass
/// in no time.
struct Scene: ~Copyable {
    static let origin = SocketAddress.ip(.v4(0x0A00_0101), port: 9_000)
    private static let listenerAddress = SocketAddress.ip(.v4(0x0A00_0001), port: 80)
    private static let descriptor: Int32 = 1_000

    let network: SimulatedNetwork
    let budget: GatewayBudget
    private(set) var worker: Worker<SimulatedDriver>

    /// One listener, one route, one upstream with one endpoint, served by `origin`.
    init(
        origin: @escaping (ScriptedPeer) -> Void = Script.answer("ok"), budget: GatewayBudget = GatewayBudget(),
        connections: Int = 1_000,
        configure: (inout GatewayConfig) -> Void = { _ in }
    ) throws {
        network = SimulatedNetwork(seed: 1, faults: FaultPlan())
        network.openListener(Self.descriptor, address: Self.listenerAddress)
        network.add(ScriptedService(address: Self.origin, network: network, script: origin))
        self.budget = budget
        let place = Location(file: "scene", line: 1, column: 1)
        var config = GatewayConfig()
        config.accessLog = nil
        var listener = ListenerConfig(location: place)
        listener.bind = [.address(Self.listenerAddress)]
        config.listeners = [listener]
        var upstream = UpstreamConfig(name: "origin", location: place)
        upstream.endpoints = [.init(url: "http://origin.test", target: .address(Self.origin), authority: "origin.test")]
        config.upstreams = [upstream]
        let path = RouteConfig.Path(segments: [.tail(nil)], hasTrailingSlash: false, source: "/*")
        config.routes = [RouteConfig(name: "all", path: path, action: .upstream("origin"), location: place)]
        configure(&config)
        let builder = SnapshotBuilder(
            kinds: MiddlewareKinds(), subrequests: NoSubrequests(), connectionsLimit: connections)
        let snapshot = try builder.build(config, previous: nil, numbers: ["default": 0], lanes: LogLaneNumbers())
        let wake = SimulatedWake()
        let inbox = Inbox { wake.signal() }
        let context = WorkerContext(
            index: 0, inboxes: [inbox], loads: WorkerLoads(workers: 1), connectionsLimit: connections,
            executor: WorkerExecutor { wake.signal() }, budget: budget)
        worker = Worker(
            driver: SimulatedDriver(network: network, connections: 2 * connections, wake: wake), context: context,
            snapshot: snapshot, seed: 1)
        inbox.post(.listen(ListeningSocket(descriptor: Self.descriptor, listener: 0, port: 80)))
    }

    /// A client that connects now.
    func client(_ address: String = "11.0.0.1", _ script: @escaping (ScriptedPeer) -> Void) -> ScriptedPeer {
        let peer = ScriptedPeer(network: network, script: script)
        let address = IPAddress(address) ?? .v4(1)
        network.connectClient(peer, address: .ip(address, port: 40_000), to: Self.descriptor)
        return peer
    }

    /// Lets so much virtual time pass.
    mutating func run(_ time: Duration) {
        let end = network.now.advanced(by: time.wholeNanoseconds)
        // The world moves from event to event: one that is due makes it stop in time.
        network.at(end) {}
        while network.now < end { worker.turn() }
    }
}

/// The far end of a connection: its script runs when the connection stands, and sets what happens later.
final class ScriptedPeer: SimulatedPeer {
    let network: SimulatedNetwork
    private let script: (ScriptedPeer) -> Void
    private(set) var connection: SimulatedConnection?
    private(set) var bytes: [UInt8] = []
    private(set) var count = 0
    private(set) var hasEnded = false
    private(set) var isReset = false
    private(set) var isRefused = false
    /// When the connection ended, in whatever way.
    private(set) var endedAt: Instant?
    private(set) var startedAt = Instant.never
    /// Whether it closes when the gateway has ended its direction.
    var closesAtEnd = true
    /// Called with each piece that comes.
    var onBytes: () -> Void = {}

    init(network: SimulatedNetwork, script: @escaping (ScriptedPeer) -> Void) {
        self.network = network
        self.script = script
    }

    var text: String { String(decoding: bytes, as: UTF8.self) }
    func occurrences(of part: String) -> Int { text.ranges(of: part).count }
    /// Bytes of the first head; nil: it is not whole.
    var headCount: Int? {
        let text = self.text
        return text.firstRange(of: "\r\n\r\n").map { text.utf8.distance(from: text.startIndex, to: $0.upperBound) }
    }
    var isOver: Bool { endedAt != nil }
    /// Seconds from the beginning to the end.
    var seconds: Double? { endedAt.map { Double($0.since(startedAt)) / 1e9 } }

    func send(_ text: String) { connection?.write(Array(text.utf8)) }

    func send(zeros count: Int) { connection?.write([UInt8](repeating: 0x30, count: count)) }

    func read(_ pace: SimulatedConnection.Pace) { connection?.pace = pace }

    func after(_ time: Duration, _ action: @escaping () -> Void) {
        network.after(time.wholeNanoseconds) { action() }
    }

    /// Sends `count` bytes in pieces of `piece`, one each `interval`.
    func trickle(_ count: Int, piece: Int, every interval: Duration) {
        guard count > 0, !isOver || !closesAtEnd, !isReset else { return }
        send(zeros: min(piece, count))
        after(interval) { self.trickle(count - piece, piece: piece, every: interval) }
    }

    func connected(_ connection: SimulatedConnection) {
        self.connection = connection
        startedAt = network.now
        script(self)
    }

    func refused(_ connection: SimulatedConnection) { isRefused = true }

    func received(_ connection: SimulatedConnection, _ bytes: [UInt8]) {
        count += bytes.count
        if self.bytes.count < 65_536 { self.bytes += bytes }
        onBytes()
    }

    func ended(_ connection: SimulatedConnection) {
        hasEnded = true
        if endedAt == nil { endedAt = network.now }
        if closesAtEnd { connection.close() }
    }

    func wasReset(_ connection: SimulatedConnection) {
        isReset = true
        if endedAt == nil { endedAt = network.now }
    }
}

/// Runs a script for each connection of the gateway.
final class ScriptedService: SimulatedService {
    let address: SocketAddress
    private let network: SimulatedNetwork
    private let script: (ScriptedPeer) -> Void

    init(address: SocketAddress, network: SimulatedNetwork, script: @escaping (ScriptedPeer) -> Void) {
        self.address = address
        self.network = network
        self.script = script
    }

    func accept(_ connection: SimulatedConnection) -> any SimulatedPeer {
        ScriptedPeer(network: network, script: script)
    }
}

/// What upstreams of scenes do.
enum Script {
    /// Answers every request, when its head is here.
    static func answer(_ body: String) -> (ScriptedPeer) -> Void {
        { peer in
            var answered = 0
            peer.onBytes = {
                while peer.occurrences(of: "\r\n\r\n") > answered {
                    answered += 1
                    peer.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
                }
            }
        }
    }

    /// Answers the first request, once so many bytes of content are here.
    static func answerAfter(content: Int, noting done: @escaping () -> Void = {}) -> (ScriptedPeer) -> Void {
        { peer in
            var isAnswered = false
            peer.onBytes = {
                guard !isAnswered, let head = peer.headCount, peer.count >= head + content else { return }
                isAnswered = true
                done()
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            }
        }
    }

    /// Answers the first request with so many bytes.
    static func answer(count: Int) -> (ScriptedPeer) -> Void {
        { peer in
            peer.onBytes = {
                peer.onBytes = {}
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: \(count)\r\n\r\n")
                peer.send(zeros: count)
            }
        }
    }

    static let get = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"

    static func post(_ count: Int, _ fields: String = "") -> String {
        "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: \(count)\r\n\(fields)\r\n"
    }
}
