import Simulation
import Testing

/// The whole worker in simulated worlds. `SIM_SEED=7` replays one and tells everything; `SIM_SEEDS=100000` runs more.
@Suite struct WorkerSimulationTests {
    private func run(
        _ seed: UInt64, mutation: Mutation? = nil, isDigested: Bool = false
    ) throws -> Simulation.Report {
        var simulation = try Simulation(seed: seed)
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
        case .relaysTooMuch:
            simulation.plan.relayedLength = 1
            simulation.faults[.clientPipelines] = 600
        case .takesResetForEnd:
            simulation.faults[.originUntilClose] = 500
            simulation.faults[.originResets] = 500
        default: break
        }
        if isDigested { simulation.trace = { _ in } }
        return try simulation.run()
    }

    @Test func `no seed breaks a promise`() {
        var run = SimulationRun()
        for seed in SeedChoice.seeds(default: 256) { run.run(seed, isTold: SeedChoice.isReplay) }
        print(run.figures.summary)
        for failure in run.failures { Issue.record("\(failure)") }
        if run.figures.seeds >= 256 { #expect(run.figures.relays > 1_000 && run.figures.handOvers > 10) }
        if run.figures.seeds >= 1_000 { #expect(run.figures.faults.missing.isEmpty) }
    }

    @Test(arguments: Regression.all) func `a fault that was found stays fixed`(regression: Regression) {
        var run = SimulationRun()
        run.run(regression.seed, faults: regression.faults)
        #expect(run.failures.isEmpty, "\(regression.name)")
    }

    @Test func `the same seed gives the same run to the last event`() throws {
        for seed in 0..<UInt64(8) {
            let digest = try run(seed, isDigested: true).digest
            #expect(try run(seed, isDigested: true).digest == digest)
            #expect(try run(seed + 100, isDigested: true).digest != digest)
        }
    }

    @Test(arguments: Mutation.allCases) func `a planted bug is found`(mutation: Mutation) throws {
        for seed in 0..<UInt64(128) {
            let violations = try run(seed, mutation: mutation).violations
            guard violations.isEmpty else {
                print("\(mutation): found by seed \(seed): \(violations[0])")
                return
            }
        }
        Issue.record("128 seeds did not find \(mutation)")
    }
}
