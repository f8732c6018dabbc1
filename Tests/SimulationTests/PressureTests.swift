import Config
import Containers
import HTTP
import Net
import Proxy
import Simulation
import Telemetry
import Testing

/// What happens when connections or memory run short.
@Suite struct PressureTests {
    /// A client that asks once, and says by its end that its connection was closed.
    private func idle(_ scene: borrowing Scene, _ address: String = "11.0.0.1") -> ScriptedPeer {
        scene.client(address) { $0.send(Script.get) }
    }

    @Test func `idle connections make room for new ones, the longest idle first`() throws {
        var scene = try Scene(configure: { config in config.listeners[0].limits.connections = 20 })
        var clients: [ScriptedPeer] = []
        for _ in 0..<18 {
            clients.append(idle(scene))
            scene.run(.milliseconds(100))
        }
        #expect(clients.allSatisfy { !$0.isOver })
        for _ in 0..<5 {
            let client = idle(scene, "12.0.0.1")
            scene.run(.milliseconds(100))
            #expect(client.text.hasPrefix("HTTP/1.1 200") && !client.isOver)
        }
        #expect(clients.map(\.isOver) == (0..<18).map { $0 < 5 })
        #expect(scene.worker.counters.shedConnections == 5 && scene.worker.counters.refusedConnections == 0)
    }

    @Test func `connections with a request are never closed for others`() throws {
        var scene = try Scene(origin: { _ in }, configure: { config in config.listeners[0].limits.connections = 10 })
        let busy = (0..<10).map { _ in idle(scene) }
        scene.run(.seconds(1))
        let late = idle(scene)
        scene.run(.seconds(1))
        #expect(busy.allSatisfy { !$0.isOver } && late.isOver && late.count == 0)
        let limit = ConnectionRefusal.Reason.listenerLimit.rawValue
        #expect(scene.worker.counters.refusals[limit] == 1)
    }

    @Test func `the gateway's connections are limited over all listeners`() throws {
        let budget = GatewayBudget(connections: 10)
        var scene = try Scene(origin: { _ in }, budget: budget)
        let clients = (0..<12).map { _ in idle(scene) }
        scene.run(.seconds(1))
        #expect(clients.filter(\.isOver).count == 2)
        let limit = ConnectionRefusal.Reason.gatewayLimit.rawValue
        #expect(scene.worker.counters.refusals[limit] == 2)
    }

    @Test func `a client has its number of connections, a /64 counts as one, and trusted peers do not count`() throws {
        var scene = try Scene(origin: { _ in }) { config in
            config.listeners[0].limits.connectionsPerClient = 3
            config.trustedProxies = [.block(CIDRBlock(address: .v4(13 << 24), prefix: 8))]
        }
        let groups = [["11.0.0.1"], ["11.0.0.2"], ["2001:db8::1", "2001:db8::2:1"], ["2001:db8:0:1::1"], ["13.0.0.1"]]
        let clients = groups.map { group in (0..<5).map { idle(scene, group[$0 % group.count]) } }
        scene.run(.seconds(1))
        #expect(clients.map { $0.filter(\.isOver).count } == [2, 2, 2, 2, 0])
        let limit = ConnectionRefusal.Reason.clientLimit.rawValue
        #expect(scene.worker.counters.refusals[limit] == 8)
    }

    @Test func `a connection ends after its number of requests`() throws {
        var scene = try Scene(configure: { config in config.listeners[0].limits.requests = 3 })
        let client = scene.client { $0.send(Script.get + Script.get + Script.get + Script.get) }
        scene.run(.seconds(10))
        let answers = client.occurrences(of: "HTTP/1.1 200")
        #expect(answers == 3 && client.isOver)
        #expect(client.occurrences(of: "Connection: close") == 1)
    }

    @Test func `an old connection ends with its next answer`() throws {
        var scene = try Scene(configure: { config in config.listeners[0].timeouts.connectionAge = .seconds(100) })
        let client = scene.client { peer in
            for second in [0, 50, 89, 111, 120] { peer.after(.seconds(second)) { peer.send(Script.get) } }
        }
        scene.run(.seconds(125))
        #expect(client.occurrences(of: "HTTP/1.1 200") == 4)
        #expect(try #require(client.seconds) > 110 && client.seconds ?? 0 < 113)
    }

    // MARK: Memory

    /// Answers `/quick` at once and nothing else.
    private static func onlyQuick(_ peer: ScriptedPeer) {
        peer.onBytes = {
            guard peer.text.hasPrefix("GET /quick"), peer.headCount != nil else { return }
            peer.onBytes = {}
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        }
    }

    /// Clients with large heads that wait for their answer: each holds a quarter of a MiB.
    private func hoard(_ scene: borrowing Scene, _ address: String, _ count: Int) -> [ScriptedPeer] {
        let fields = (0..<4).map { "X-\($0): \(String(repeating: "x", count: 5_000))\r\n" }.joined()
        return (0..<count).map { _ in
            scene.client(address) { $0.send("GET /slow HTTP/1.1\r\nHost: a.test\r\n\(fields)\r\n") }
        }
    }

    private func quick(_ scene: borrowing Scene, _ address: String) -> ScriptedPeer {
        scene.client(address) { $0.send("GET /quick HTTP/1.1\r\nHost: a.test\r\n\r\n") }
    }

    @Test func `who holds much of the memory is answered 503, and others are served`() throws {
        let budget = GatewayBudget(memory: 16 << 20)
        var scene = try Scene(origin: Self.onlyQuick, budget: budget)
        var hoarders: [ScriptedPeer] = []
        for _ in 0..<10 {
            hoarders += hoard(scene, "11.0.0.1", 20)
            scene.run(.milliseconds(500))
        }
        #expect(budget.heldBytes < 17 << 20, "\(budget.heldBytes)")
        #expect(scene.worker.counters.count(.memoryLimitReached) > 100)
        for _ in 0..<5 {
            let light = quick(scene, "12.0.0.1")
            let heavy = quick(scene, "11.0.0.1")
            scene.run(.seconds(1))
            #expect(light.text.hasPrefix("HTTP/1.1 200"), "\(light.text)")
            #expect(heavy.text.hasPrefix("HTTP/1.1 503") && heavy.text.contains("memory_limit_reached"))
            #expect(heavy.text.contains("Retry-After: 1\r\n") && heavy.isOver)
        }
        // What ran goes on, to the end that it would have had anyway.
        let running = hoarders.filter { !$0.isOver }
        #expect(running.count > 20)
        scene.run(.seconds(40))
        #expect(running.allSatisfy { $0.text.hasPrefix("HTTP/1.1 504") })
    }

    @Test func `beyond the budget nobody gets more, accepting slows down, and afterwards all is as before`() throws {
        let budget = GatewayBudget(memory: 16 << 20)
        var scene = try Scene(
            origin: Self.onlyQuick, budget: budget,
            configure: { config in
                config.upstreams[0].timeouts.response = .seconds(20)
            })
        for address in 0..<400 {
            _ = hoard(scene, "11.0.\(address / 100).\(address % 100)", 1)
            scene.run(.milliseconds(10))
        }
        #expect(budget.heldBytes >= 16 << 20 && budget.heldBytes < 26 << 20, "\(budget.heldBytes)")
        scene.run(.seconds(3))
        #expect(scene.worker.counters.count(.memoryLimitReached) > 10)
        let many = (0..<60).map { quick(scene, "12.0.0.\($0)") }
        scene.run(.milliseconds(90))
        #expect(many.filter { $0.count > 0 }.count <= 32, "accepting pauses for 100 ms after 16 connections")
        scene.run(.seconds(2))
        #expect(many.allSatisfy { $0.count > 0 })
        scene.run(.seconds(60))
        #expect(budget.heldBytes < 4 << 20, "\(budget.heldBytes)")
        let client = quick(scene, "11.0.0.1")
        scene.run(.seconds(1))
        #expect(client.text.hasPrefix("HTTP/1.1 200"))
    }

    @Test func `interim responses wait for a client that does not read`() throws {
        let interim = "HTTP/1.1 103 Early Hints\r\nLink: \(String(repeating: "x", count: 50_000))\r\n\r\n"
        var scene = try Scene { peer in
            peer.onBytes = {
                peer.onBytes = {}
                for _ in 0..<16 { peer.send(interim) }
            }
        }
        let client = scene.client { peer in
            peer.read(.never)
            peer.send(Script.get)
        }
        scene.run(.seconds(5))
        #expect(scene.network.queuedBytesMax < 300_000, "\(scene.network.queuedBytesMax)")
        scene.run(.seconds(40))
        #expect(client.isReset && scene.worker.accounts.exchanges == 0)
    }

    @Test func `pipelined requests wait unread`() throws {
        let budget = GatewayBudget()
        var scene = try Scene(origin: { _ in }, budget: budget)
        let client = scene.client { peer in
            for _ in 0..<100 { peer.send(String(repeating: Script.get, count: 1_000)) }
        }
        scene.run(.seconds(5))
        #expect(budget.heldBytes < 500_000 && !client.isOver, "\(budget.heldBytes)")
    }
}
