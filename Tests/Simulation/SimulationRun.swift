/// Many seeds, one after the other, and what they add up to.
package struct SimulationRun: Sendable {
    package private(set) var seeds = 0
    package private(set) var totals = FaultTotals()
    private var answered = 0
    private var local = 0
    private var cut = 0
    private var codes: [String: Int] = [:]
    private var queuedMax = 0
    private var buffersMax = 0
    private var turns = 0
    private var virtualSeconds = 0
    package private(set) var relays = 0
    package private(set) var handOvers = 0
    private var refused = 0
    private var tunnels = 0
    /// `SIM_SEED=n: what broke`, one for each seed that failed.
    package private(set) var failures: [String] = []

    package init() {}

    package mutating func run(_ seed: UInt64, isTold: Bool = false) {
        var simulation = Simulation(seed: seed)
        if isTold { simulation.trace = { print($0) } }
        do {
            add(try simulation.run())
        } catch {
            failures.append("SIM_SEED=\(seed): the configuration did not compile: \(error)")
        }
    }

    private mutating func add(_ report: Simulation.Report) {
        seeds += 1
        totals.add(report.faults)
        answered += report.answered
        local += report.answeredLocally
        cut += report.cut
        queuedMax = max(queuedMax, report.queuedBytesMax)
        buffersMax = max(buffersMax, report.buffersMax)
        turns += report.turns
        virtualSeconds += report.virtualSeconds
        relays += report.relays
        handOvers += report.handOvers
        refused += report.refused
        tunnels += report.tunnels
        for (code, count) in report.codes { codes[code, default: 0] += count }
        if !report.violations.isEmpty {
            failures.append("SIM_SEED=\(report.seed): \(report.violations.joined(separator: "\n    "))")
        }
    }

    /// Adds what another thread has run.
    package mutating func add(_ other: SimulationRun) {
        seeds += other.seeds
        totals.add(other.totals)
        answered += other.answered
        local += other.local
        cut += other.cut
        queuedMax = max(queuedMax, other.queuedMax)
        buffersMax = max(buffersMax, other.buffersMax)
        turns += other.turns
        virtualSeconds += other.virtualSeconds
        relays += other.relays
        handOvers += other.handOvers
        refused += other.refused
        tunnels += other.tunnels
        codes.merge(other.codes) { $0 + $1 }
        failures += other.failures
    }

    package var summary: String {
        let codes = codes.sorted { $0.key < $1.key }.map { "\($0.value) × \($0.key.isEmpty ? "no code" : $0.key)" }
        let injected = totals.counts.reduce(0, +)
        return """
            \(seeds) seeds: \(answered) answered, \(local) answered by the gateway, \(cut) cut; \(turns) turns, \
            \(virtualSeconds) virtual seconds
            \(codes.joined(separator: ", "))
            at most \(queuedMax) bytes queued on a connection, \(buffersMax) buffers of a worker in use
            \(relays) pieces relayed, \(handOvers) connections handed over, \(refused) requests refused by the limiter, \
            \(tunnels) WebSocket connections
            \(injected) faults of \(totals.counts.count) kinds:
            \(totals.table)
            """
    }
}
