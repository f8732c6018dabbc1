import Config
import Containers
import DNS
import DNSStub
import Linux
import Logging
import Middleware
import Net
import Telemetry
import Testing

@testable import Daemon

/// A gateway in this process, whose services are listeners of its own and whose names a stub answers.
private final class NamedGateway {
    private static let loopback = IPAddress.v4(0x7F00_0001)
    /// The stub's answer for a name of the services.
    static let here = StubServer.Answer.addresses(v4: [0x7F00_0001], ttl: 0)

    let names: StubServer
    let journal = Journal()
    private let engine: ProxyEngine
    private let listeners: [BoundListener]
    private var isStarted = false

    /// - Parameter wait: milliseconds that the first verdict on a name may take.
    init(wait: Int64 = 60_000) throws {
        let names = try StubServer()
        var timing = ResolverTiming()
        // Only names whose time is over are asked for again.
        timing.timeout = 60_000
        timing.shortestLife = 20_000_000
        timing.retry = 20_000_000
        timing.firstVerdict = wait * 1_000_000
        let journal = journal
        engine = ProxyEngine(
            GatewayConfig(), files: 1_024, kinds: MiddlewareKinds(), log: AccessLog(LogSinks()),
            logger: Logger(label: "test") { _ in JournalLog(journal: journal) }, heartbeats: nil,
            nameServers: names.address,
            timing: timing)
        self.names = names
        listeners = try ["front", "back"].map { name in
            let socket = try Socket.listen(on: .ip(Self.loopback, port: 0), backlog: 64)
            let address = try Socket.localAddress(socket.number)
            return BoundListener(
                name: name, spec: ListenSpec(place: .address(address)), descriptor: socket.release(), address: address)
        }
    }

    var front: SocketAddress { listeners[0].address }

    /// A service for each name: `a.test` behind the path `/a.test`, and so on.
    func config(_ services: [String]) throws -> GatewayConfig {
        guard case .ip(_, let port) = listeners[1].address else { throw EngineFailure() }
        let upstreams = services.enumerated().map { "  u\($0.offset): \"http://\($0.element):\(port)\"\n" }
        let routes = services.enumerated().map {
            "  - { name: r\($0.offset), path: /\($0.element), listeners: front, upstream: u\($0.offset) }\n"
        }
        let text = """
            listeners:
              front: { bind: "127.0.0.1:0" }
              back: { bind: "127.0.0.1:0" }
            access_log: off
            upstreams:
            \(upstreams.joined())routes:
            \(routes.joined())  - { name: back, path: "/*", listeners: back, respond: { text: served } }

            """
        let result = ConfigurationLoader().inspect(text: text, name: "test")
        if let config = result.config { return config }
        Issue.record("\(result.report())")
        throw EngineFailure()
    }

    func start(_ config: GatewayConfig) throws {
        isStarted = true
        try engine.start(config, listeners: listeners)
        journal.write("started")
    }

    func publish(_ config: GatewayConfig) throws {
        try engine.publish(config, listeners: listeners)
        journal.write("published")
    }

    func stop() {
        if isStarted {
            engine.stop()
            engine.waitUntilStopped()
        }
        names.stop()
    }

    /// Runs a part of the test beside `start` or `publish`, which wait.
    func beside(_ body: @escaping @Sendable (_ names: StubServer, _ journal: Journal) throws -> Void) throws -> Thread {
        try Thread(name: "beside") { [names, journal] in
            do { try body(names, journal) } catch { journal.write("beside: \(error)") }
        }
    }
}

private func request(_ path: String, at address: SocketAddress) throws -> BlockingConnection {
    let connection = try BlockingConnection.connect(to: address, timeoutMilliseconds: 60_000)
    try connection.send(Array("GET /\(path) HTTP/1.1\r\nHost: x.test\r\nConnection: close\r\n\r\n".utf8))
    return connection
}

/// Status and, of errors, the code.
private func answer(_ connection: borrowing BlockingConnection) throws -> String {
    let text = String(decoding: try readAll(connection), as: UTF8.self)
    let status = text.dropFirst(9).prefix(3)
    return text.contains("dns_error") ? "\(status) dns_error" : String(status)
}

private func get(_ path: String, at address: SocketAddress) throws -> String {
    try answer(request(path, at: address))
}

private func eventually(_ what: String, _ condition: () throws -> Bool) throws {
    let deadline = Clock.monotonic.advanced(by: RunningMartlet.patience)
    while try !condition() {
        if Clock.monotonic > deadline { throw WaitedInVain(what: what, log: "") }
        Process.sleep(nanoseconds: 1_000_000)
    }
}

@Suite("Names of endpoints", .timeLimit(.minutes(2)))
struct EndpointNameTests {
    @Test("a request that waits in the backlog before the start is served once its name has an answer")
    func start() throws {
        let gateway = try NamedGateway()
        defer { gateway.stop() }
        gateway.names.set("a.test", .held)
        let early = try request("a.test", at: gateway.front)
        let front = gateway.front
        let gate = try gateway.beside { names, journal in
            try eventually("a question") { names.count("a.test") > 0 }
            // What serves without an answer has time to show it here.
            let other = try request("a.test", at: front)
            journal.write(other.waitReadable(milliseconds: 300) ? "served without an answer" : "waits")
            names.set("a.test", NamedGateway.here)
            journal.write(try answer(other))
        }
        try gateway.start(try gateway.config(["a.test"]))
        #expect(try get("a.test", at: gateway.front) == "200")
        #expect(try answer(early) == "200")
        gate.join()
        let events = gateway.journal.all
        #expect(events.contains("200") && !events.contains("served without an answer"), "\(events)")
        #expect(try #require(events.firstIndex(of: "waits")) < #require(events.firstIndex(of: "started")))
    }

    @Test("a name without an answer keeps the start only for so long; its requests are dns_error until it has one")
    func bound() throws {
        let gateway = try NamedGateway(wait: 200)
        defer { gateway.stop() }
        gateway.names.set("slow.test", .held)
        let config = try gateway.config(["slow.test", "localhost"])
        let began = Clock.monotonic
        try gateway.start(config)
        let waited = Clock.monotonic.since(began)
        #expect(waited >= 200_000_000)
        // The question itself is given up after three minutes.
        #expect(waited < 30_000_000_000)
        #expect(try get("localhost", at: gateway.front) == "200")
        #expect(try get("slow.test", at: gateway.front) == "502 dns_error")
        #expect(gateway.journal.all.contains { $0.hasPrefix("warning") && $0.contains("slow.test") })
        gateway.names.set("slow.test", NamedGateway.here)
        try eventually("addresses") { try get("slow.test", at: gateway.front) == "200" }
    }

    @Test("a name that does not exist keeps nothing waiting")
    func noName() throws {
        let gateway = try NamedGateway()
        defer { gateway.stop() }
        try gateway.start(try gateway.config(["gone.test"]))
        #expect(try get("gone.test", at: gateway.front) == "502 dns_error")
    }

    @Test("a reload is in force when its new names have answers; until then the old ones serve and are kept")
    func reload() throws {
        let gateway = try NamedGateway()
        defer { gateway.stop() }
        gateway.names.set("a.test", NamedGateway.here)
        gateway.names.set("b.test", .held)
        try gateway.start(try gateway.config(["a.test"]))
        let front = gateway.front
        let gate = try gateway.beside { names, journal in
            try eventually("a question") { names.count("b.test") > 0 }
            let asked = names.count("a.test")
            try eventually("more questions") { names.count("a.test") > asked + 3 }
            journal.write("old: \(try get("a.test", at: front)), new: \(try get("b.test", at: front))")
            names.set("b.test", NamedGateway.here)
        }
        try gateway.publish(try gateway.config(["a.test", "b.test"]))
        #expect(try get("b.test", at: front) == "200")
        #expect(try get("a.test", at: front) == "200")
        gate.join()
        let events = gateway.journal.all
        let meanwhile = try #require(events.firstIndex(of: "old: 200, new: 404"), "\(events)")
        #expect(try meanwhile < #require(events.firstIndex(of: "published")))
    }

    @Test("addresses that change while a reload waits reach the endpoints in force and those to come")
    func changeMeanwhile() throws {
        let gateway = try NamedGateway()
        defer { gateway.stop() }
        gateway.names.set("a.test", .addresses(v4: [], ttl: 0))
        gateway.names.set("b.test", .held)
        try gateway.start(try gateway.config(["a.test"]))
        let front = gateway.front
        #expect(try get("a.test", at: front) == "502 dns_error")
        let gate = try gateway.beside { names, journal in
            try eventually("a question") { names.count("b.test") > 0 }
            names.set("a.test", NamedGateway.here)
            try eventually("addresses") { try get("a.test", at: front) == "200" }
            names.set("b.test", NamedGateway.here)
        }
        // The upstream moves to another name, so that its endpoints are new ones.
        try gateway.publish(try gateway.config(["b.test", "a.test"]))
        gate.join()
        #expect(try get("a.test", at: front) == "200")
        #expect(try get("b.test", at: front) == "200")
    }

    @Test("a reload that fails leaves the names as they were; one that works forgets what it does not have")
    func names() throws {
        let gateway = try NamedGateway()
        defer { gateway.stop() }
        for name in ["a.test", "b.test", "c.test"] { gateway.names.set(name, NamedGateway.here) }
        try gateway.start(try gateway.config(["a.test"]))

        var broken = try gateway.config(["b.test"])
        broken.routes[0].action = .upstream("missing")
        #expect(throws: (any Error).self) { try gateway.publish(broken) }
        let asked = gateway.names.count("a.test")
        try eventually("more questions") { gateway.names.count("a.test") > asked + 5 }
        #expect(gateway.names.count("b.test") == 0)
        #expect(try get("a.test", at: gateway.front) == "200")

        try gateway.publish(try gateway.config(["c.test"]))
        // A question may have been on its way.
        let began = gateway.names.count("c.test")
        try eventually("more questions") { gateway.names.count("c.test") > began + 5 }
        let last = gateway.names.count("a.test")
        try eventually("more questions") { gateway.names.count("c.test") > began + 15 }
        #expect(gateway.names.count("a.test") == last)
    }

    @Test("a new endpoint of a name that is known has its addresses at once")
    func known() throws {
        let gateway = try NamedGateway()
        defer { gateway.stop() }
        gateway.names.set("a.test", .addresses(v4: [0x7F00_0001], ttl: 300))
        try gateway.start(try gateway.config(["a.test"]))
        // Another upstream, with an endpoint of its own.
        try gateway.publish(try gateway.config(["localhost", "a.test"]))
        #expect(try get("a.test", at: gateway.front) == "200")
        #expect(gateway.names.count("a.test") == 1)
    }

    @Test("a name that comes back is asked for anew, and is waited for")
    func back() throws {
        let gateway = try NamedGateway()
        defer { gateway.stop() }
        gateway.names.set("a.test", NamedGateway.here)
        let config = try gateway.config(["a.test"])
        try gateway.start(config)
        for _ in 0..<20 {
            try gateway.publish(try gateway.config(["localhost"]))
            try gateway.publish(config)
            #expect(try get("a.test", at: gateway.front) == "200")
        }
    }
}
