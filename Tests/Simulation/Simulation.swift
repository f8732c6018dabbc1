package import Config
import Containers
package import Net

/// One world from one seed: some clients, a gateway, some origins, until everything is over.
package struct Simulation {
    package struct Report: Sendable {
        package var seed: UInt64
        package var violations: [String]
        package var figures: SimulationFigures
        /// Of everything that happened, in order.
        package var digest: UInt64
    }

    package static let listenerDescriptor: Int32 = 1 << 28
    /// Where clients stand behind a proxy that names them.
    package static let proxiedDescriptor = listenerDescriptor + 1
    /// Where TLS is spoken.
    package static let securedDescriptor = listenerDescriptor + 2
    package static let listenerAddress = SocketAddress.ip(.v4(0x0A00_0001), port: 80)
    /// Where origins listen.
    package static let origins: [SocketAddress] = [
        .ip(.v4(0x0A00_0101), port: 9_000), .ip(.v4(0x0A00_0102), port: 9_000), .unix(path: "/run/origin.sock"),
    ]
    /// Of origins that are reached by TLS.
    static let securePort: UInt16 = 9_443
    static let secureSuffix = ".tls"
    static let secureOrigins: [SocketAddress] = origins.map {
        switch $0 {
        case .ip(let address, _): .ip(address, port: securePort)
        case .unix(let path): .unix(path: path + secureSuffix)
        }
    }
    package static let originName = "origin.test"
    package static let authService = SocketAddress.ip(.v4(0x0A00_0201), port: 9_100)
    /// Of calls that name no upstream.
    package static let callOrigin = SocketAddress.ip(.v4(0x0A00_0301), port: 9_000)
    /// Turns after which a world that does not end is given up.
    private static let turnsLimit = 400_000
    /// Virtual time in which a gateway must have closed everything after its last client.
    private static let settleTime: Int64 = 900_000_000_000

    /// Virtual time after the last client in which late things may still show.
    private static let quietTime: Int64 = 10_000_000_000

    package var seed: UInt64
    package var faults: FaultPlan
    package var plan: WorldPlan
    package var config: GatewayConfig
    /// Queued bytes of one socket, at most: two large receives (content that came behind a head, and what came before reading
    /// was paused) and what is framed around them.
    package var queuedBytesLimit = 294_912
    package var mutation: Mutation?
    package var trace: ((String) -> Void)?

    package init(seed: UInt64) throws {
        self.seed = seed
        faults = FaultPlan(seed: seed)
        plan = WorldPlan(seed: seed)
        config = try WorldConfig.draw(seed: seed)
    }

    package func run() throws -> Report {
        let network = SimulatedNetwork(seed: seed, faults: faults)
        var digest = Digest()
        if let trace {
            network.trace = { line in
                digest.add(line)
                trace(line)
            }
        }
        let shadow = ShadowModel(network: network)
        var plan = plan
        if network.random.below(8) == 0, network.happens(.fewSlots) {
            plan.connectionsLimit = 3 + network.random.below(8)
            network.excuse(until: .never)
        }
        network.openListener(Self.listenerDescriptor, address: Self.listenerAddress)
        network.openListener(Self.proxiedDescriptor, address: Self.listenerAddress)
        network.openListener(Self.securedDescriptor, address: Self.listenerAddress)
        network.noteSecured(config.listeners[2])
        for address in Self.origins + [Self.callOrigin] {
            network.add(FakeOrigin(address: address, network: network, shadow: shadow))
        }
        for address in Self.secureOrigins {
            network.add(FakeOrigin(address: address, isSecure: true, network: network, shadow: shadow))
        }
        network.add(FakeAuthService(address: Self.authService, network: network, shadow: shadow))
        let gateway = try SimulatedGateway(
            plan, config, seed: seed, network: network, shadow: shadow, mutation: mutation)
        for _ in 0..<4 { gateway.turn() }
        let baseline = network.buffersOutstanding
        let clients = makeClients(network, shadow)
        let tunnels = makeTunnels(network, shadow)
        let multiplexed = makeHTTP2Clients(plan.http2Clients, network, shadow)
        gateway.makeCalls()
        var turns = 0
        var deadline = Instant.never
        var busyAt = network.now
        while turns < Self.turnsLimit, network.violations.isEmpty {
            gateway.turn()
            turns += 1
            if network.queuedBytesMax > queuedBytesLimit {
                network.violate("\(network.queuedBytesMax) bytes queued on one socket")
            }
            if network.streamBytesMax > queuedBytesLimit {
                network.violate("\(network.streamBytesMax) bytes on one stream")
            }
            if deadline == .never, clients.allSatisfy(\.isDone), tunnels.allSatisfy(\.isDone),
                multiplexed.allSatisfy(\.isDone), gateway.areCallsDone
            {
                deadline = network.now.advanced(by: Self.settleTime)
            }
            if network.openSockets > 0 { busyAt = network.now }
            if deadline != .never, !gateway.isOwing, gateway.hasEnded,
                hasSettled(network, deadline: deadline, busyAt: busyAt)
            {
                break
            }
        }
        if network.violations.isEmpty {
            shadow.finish()
            finish(network, baseline: baseline, hasEnded: turns < Self.turnsLimit)
            for text in gateway.leftovers() { network.violate("left over: \(text)") }
        }
        gateway.end()
        network.end()
        return Report(
            seed: seed, violations: network.violations,
            figures: figures(network, shadow, gateway, multiplexed, turns: turns),
            digest: digest.value)
    }

    private func figures(
        _ network: SimulatedNetwork, _ shadow: ShadowModel, _ gateway: SimulatedGateway,
        _ multiplexed: [FakeHTTP2Client], turns: Int
    ) -> SimulationFigures {
        var figures = SimulationFigures()
        figures.seeds = 1
        figures.faults.add(network.faults)
        figures.answered = shadow.answered
        figures.answeredLocally = shadow.answeredLocally
        figures.cut = shadow.cut
        figures.codes = shadow.codes
        figures.turns = turns
        figures.virtualSeconds = Int(network.now.nanoseconds / 1_000_000_000)
        figures.buffersMax = network.buffersOutstandingMax
        figures.queuedBytesMax = network.queuedBytesMax
        figures.streamBytesMax = network.streamBytesMax
        figures.streams = multiplexed.reduce(0) { $0 + $1.streams }
        figures.relays = network.relays
        figures.handshakes = network.handshakes
        figures.handOvers = network.handOversCount
        figures.refused = gateway.limiterRefusals
        figures.tunnels = shadow.tunnels
        return figures
    }

    /// Whether the world is over: nothing is open for a while, or the time for that is.
    private func hasSettled(_ network: SimulatedNetwork, deadline: Instant, busyAt: Instant) -> Bool {
        if network.isQuiescent || network.now >= deadline { return true }
        // Workers tidy up once in a while.
        return network.now >= busyAt.advanced(by: 3_000_000_000)
            && network.now >= deadline.advanced(by: Self.quietTime - Self.settleTime)
    }

    private func makeClients(_ network: SimulatedNetwork, _ shadow: ShadowModel) -> [FakeClient] {
        let count = 1 + network.random.below(12)
        let isBurst = network.happens(.acceptBurst)
        let burstAt = Int64(10_000_000 + network.random.below(500_000_000))
        var number = 0
        return (0..<count).map { index in
            let plans = (0..<(1 + network.random.below(6))).map { _ in
                number += 1
                return ExchangePlan.draw(number: number, network: network)
            }
            let address = SocketAddress.ip(.v4(0x0B00_0000 + UInt32(index)), port: UInt16(40_000 + index))
            let client = FakeClient(
                address: address, descriptor: Self.listenerDescriptor, plans: plans, network: network, shadow: shadow)
            let start = isBurst ? burstAt : 10_000_000 + Int64(network.random.below(2_000)) * 1_000_000
            network.after(start) { client.start() }
            return client
        }
    }

    private func makeHTTP2Clients(
        _ count: Int, _ network: SimulatedNetwork, _ shadow: ShadowModel
    ) -> [FakeHTTP2Client] {
        var number = 3_000
        return (0..<count).map { index in
            let plans = (0..<(1 + network.random.below(12))).map { _ in
                number += 1
                return ExchangePlan.draw(number: number, network: network)
            }
            let client = FakeHTTP2Client(
                address: .ip(.v4(0x0B00_2000 + UInt32(index)), port: 60_000), plans: plans, network: network,
                shadow: shadow)
            network.after(10_000_000 + Int64(network.random.below(2_000)) * 1_000_000) { client.start() }
            return client
        }
    }

    private func makeTunnels(_ network: SimulatedNetwork, _ shadow: ShadowModel) -> [FakeWebSocketClient] {
        (0..<(network.random.below(2) * network.random.below(5))).map { index in
            let client = FakeWebSocketClient(
                number: 2_000 + index, address: .ip(.v4(0x0B00_1000 + UInt32(index)), port: 50_000), network: network,
                shadow: shadow)
            network.after(10_000_000 + Int64(network.random.below(2_000)) * 1_000_000) { client.start() }
            return client
        }
    }

    private func finish(_ network: SimulatedNetwork, baseline: Int, hasEnded: Bool) {
        if !hasEnded { network.violate("no end after \(Self.turnsLimit) turns") }
        if network.openSockets != 0 { network.violate("\(network.openSockets) sockets left open") }
        if network.buffersOutstanding != baseline {
            network.violate("\(network.buffersOutstanding - baseline) buffers lost")
        }
    }
}

/// FNV-1a over what happened: equal runs have equal digests.
private struct Digest {
    var value: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func add(_ line: String) {
        for byte in line.utf8 { value = (value ^ UInt64(byte)) &* 0x100_0000_01B3 }
    }
}
