import Config
import Simulation
import Testing

/// The whole worker in simulated worlds. `SIM_SEED=7` replays one and tells everything; `SIM_SEEDS=100000` runs more.
@Suite struct WorkerSimulationTests {
    private func run(
        _ seed: UInt64, mutation: Mutation? = nil, isTold: Bool = false, isDigested: Bool = false
    ) throws -> Simulation.Report {
        var simulation = Simulation(seed: seed)
        let config = WorkerConfig.draw(seed: seed)
        simulation.upstreamLimit = config.upstreams.map(\.pool.maxConnections).reduce(0, +)
        simulation.mutation = mutation
        // What a mistake needs to show is made likely; finding it remains the shadow model's work.
        switch mutation {
        case .neverAsksQuiet:
            simulation.faults[.originClosesIdle] = 600
            simulation.faults[.batch] = 500
            simulation.faults[.stall] = 200
        case .ignoresPause:
            simulation.faults[.clientSlowReader] = 800
        case .closesInPlaceOfAbort:
            simulation.faults[.clientIsOld] = 500
            simulation.faults[.originTruncates] = 300
        default: break
        }
        if isTold { simulation.trace = { print($0) } }
        if isDigested { simulation.trace = { _ in } }
        return try simulation.run { driver, network throws in
            try WorkerSystem(
                driver: driver, network: network, config: config,
                relayedLength: WorkerConfig.drawRelayedLength(seed: seed))
        }
    }

    @Test func `no seed breaks a promise`() throws {
        var totals = FaultTotals()
        var (answered, local, cut) = (0, 0, 0)
        var codes: [String: Int] = [:]
        var (queuedMax, buffersMax, relays) = (0, 0, 0)
        let seeds = SeedChoice.seeds(default: 256)
        for seed in seeds {
            let report = try run(seed, isTold: SeedChoice.isReplay)
            totals.add(report.faults)
            answered += report.answered
            local += report.answeredLocally
            cut += report.cut
            queuedMax = max(queuedMax, report.queuedBytesMax)
            buffersMax = max(buffersMax, report.buffersMax)
            relays += report.relays
            for (code, count) in report.codes { codes[code, default: 0] += count }
            if !report.violations.isEmpty {
                Issue.record("SIM_SEED=\(seed): \(report.violations.joined(separator: "\n"))")
            }
        }
        print("\(seeds.count) seeds: \(answered) answered, \(local) answered by the gateway, \(cut) cut")
        print(codes.sorted { $0.key < $1.key }.map { "\($0.value) × \($0.key)" }.joined(separator: ", "))
        print(
            "at most \(queuedMax) bytes queued on a connection, \(buffersMax) buffers in use, \(relays) pieces relayed")
        print("faults:\n\(totals.table)")
        if seeds.count >= 256 { #expect(totals.missing.isEmpty && relays > 1_000) }
    }

    @Test func `the same seed gives the same run to the last event`() throws {
        for seed in 0..<UInt64(8) {
            let digest = try run(seed, isDigested: true).digest
            #expect(try run(seed, isDigested: true).digest == digest)
            #expect(try run(seed + 100, isDigested: true).digest != digest)
        }
    }

    @Test(arguments: Mutation.allCases) func `a planted bug is found`(mutation: Mutation) throws {
        for seed in 0..<UInt64(64) {
            let violations = try run(seed, mutation: mutation).violations
            guard violations.isEmpty else {
                print("\(mutation): found by seed \(seed): \(violations[0])")
                return
            }
        }
        Issue.record("64 seeds did not find \(mutation)")
    }
}
