/// Many seeds, one after the other, and what they add up to.
package struct SimulationRun: Sendable {
    package private(set) var figures = SimulationFigures()
    /// `SIM_SEED=n: what broke`, one for each seed that failed.
    package private(set) var failures: [String] = []

    package init() {}

    /// Runs a seed; `faults` have other chances than the seed gives them.
    package mutating func run(_ seed: UInt64, faults: [FaultKind: Int] = [:], isTold: Bool = false) {
        do {
            var simulation = try Simulation(seed: seed)
            for (kind, chance) in faults { simulation.faults[kind] = chance }
            if isTold { simulation.trace = { print($0) } }
            let report = try simulation.run()
            figures.add(report.figures)
            if report.violations.isEmpty { return }
            failures.append("SIM_SEED=\(seed): \(report.violations.joined(separator: "\n    "))")
        } catch {
            failures.append("SIM_SEED=\(seed): the configuration did not compile: \(error)")
        }
    }

    /// Adds what another thread has run.
    package mutating func add(_ other: SimulationRun) {
        figures.add(other.figures)
        failures += other.failures
    }
}
