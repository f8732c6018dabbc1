import Containers
import EventLoop
import Net
import Simulation
import Testing

@Suite struct SimulatedDriverTests {
    private static let origin = SocketAddress.ip(.v4(0x0A00_0101), port: 9)

    private struct Result {
        var violations: [String]
        var outcomes: [String]
        var faults: FaultPlan
        var log: [String]
    }

    /// Some clients through a relay to an echo; all must be over in the end.
    private func relay(
        seed: UInt64, faults: FaultPlan, mistake: RelayLoop<SimulatedDriver>.Mistake? = nil, isLogged: Bool = false
    ) -> Result {
        let network = SimulatedNetwork(seed: seed, faults: faults)
        var log: [String] = []
        if isLogged { network.trace = { log.append($0) } }
        network.openListener(5, address: Self.origin)
        network.add(RawOrigin(address: Self.origin, network: network))
        let clients = (0..<(1 + network.random.below(6))).map { number in
            RawClient(
                number: number, tiles: network.random.below(network.random.below(4) == 0 ? 12_000 : 600),
                network: network)
        }
        for client in clients {
            network.after(Int64(network.random.below(100_000_000))) {
                network.connectClient(client, address: Self.origin, to: 5)
            }
        }
        var relay = RelayLoop(
            driver: SimulatedDriver(network: network, connections: 100), descriptor: 5, origin: Self.origin,
            mistake: mistake)
        var turns = 0
        while !network.isQuiescent, turns < 100_000, network.violations.isEmpty {
            relay.turn()
            turns += 1
        }
        if turns == 100_000 { network.violate("no end") }
        if network.openSockets > 0 { network.violate("sockets are left") }
        if network.buffersOutstanding > 0 { network.violate("buffers are left") }
        if network.queuedBytesMax > 300_000 { network.violate("no back-pressure") }
        for text in relay.leftovers() { network.violate(text) }
        network.end()
        return Result(
            violations: network.violations, outcomes: clients.map(\.outcome), faults: network.faults, log: log)
    }

    /// The seed's plan without what an echo over a blind relay does not survive whole.
    private func harmless(_ seed: UInt64) -> FaultPlan {
        var faults = FaultPlan(seed: seed)
        for kind in FaultKind.allCases where kind.isLossy { faults[kind] = 0 }
        return faults
    }

    @Test func `a relay carries every byte through all harmless faults`() {
        for seed in 0..<UInt64(100) {
            let result = relay(seed: seed, faults: harmless(seed))
            guard result.violations.isEmpty, result.outcomes.allSatisfy({ $0 == "whole" }) else {
                Issue.record("seed \(seed): \(result.violations) \(result.outcomes)")
                return
            }
        }
    }

    @Test func `a relay loses connections only visibly when the network breaks them`() {
        var outcomes: [String: Int] = [:]
        for seed in 0..<UInt64(100) {
            let result = relay(seed: seed, faults: FaultPlan(seed: seed))
            if !result.violations.isEmpty { Issue.record("seed \(seed): \(result.violations)") }
            for outcome in result.outcomes { outcomes[outcome, default: 0] += 1 }
        }
        #expect((outcomes["whole"] ?? 0) > 0 && (outcomes["reset"] ?? 0) > 0)
        #expect(outcomes["sent"] == nil && outcomes["nothing"] == nil)
    }

    @Test func `the same seed gives the same run to the last event, another seed another`() {
        for seed in 0..<UInt64(10) {
            let log = relay(seed: seed, faults: FaultPlan(seed: seed), isLogged: true).log
            let isSame = log == relay(seed: seed, faults: FaultPlan(seed: seed), isLogged: true).log
            let isOther = log != relay(seed: seed + 1, faults: FaultPlan(seed: seed), isLogged: true).log
            #expect(!log.isEmpty && isSame && isOther)
        }
    }

    @Test(arguments: RelayLoop<SimulatedDriver>.Mistake.allCases)
    func `a relay that makes a mistake is caught`(mistake: RelayLoop<SimulatedDriver>.Mistake) {
        let caught = (0..<UInt64(40)).filter { seed in
            let result = relay(seed: seed, faults: harmless(seed), mistake: mistake)
            return !result.violations.isEmpty || result.outcomes.contains { $0 != "whole" }
        }
        #expect(!caught.isEmpty)
    }

    @Test func `without faults there are none`() {
        let result = relay(seed: 3, faults: FaultPlan())
        #expect(result.faults.counts.allSatisfy { $0 == 0 })
        #expect(result.outcomes.allSatisfy { $0 == "whole" })
    }

    @Test func `half of the kinds are off in each seed and every fourth seed has no lossy one`() {
        for seed in 0..<UInt64(64) {
            let plan = FaultPlan(seed: seed)
            let off = FaultKind.allCases.filter { plan[$0] == 0 }.count
            #expect(off >= 5)
            #expect(!plan.isClean || FaultKind.allCases.allSatisfy { !$0.isLossy || plan[$0] == 0 })
            if seed % 4 == 0 { #expect(plan.isClean) }
        }
    }
}
