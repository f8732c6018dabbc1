import Glibc
import Linux
import Simulation
import Synchronization

/// `make sim`: many seeds on some threads. The exit status is 1 when a seed failed, or a kind of fault never happened.
@main enum Main {
    static func main() throws {
        let seeds = SeedChoice.seeds(default: 2_000)
        let run: SimulationRun
        if SeedChoice.isReplay {
            var replay = SimulationRun()
            for seed in seeds { replay.run(seed, faults: SeedChoice.faults, isTold: true) }
            run = replay
        } else {
            run = try Work(seeds).run(threads: SeedChoice.number("SIM_THREADS").map { Int($0) } ?? 2)
        }
        print(run.figures.summary)
        for failure in run.failures { print(failure) }
        let missing = seeds.count >= 1_000 ? run.figures.faults.missing : []
        for kind in missing { print("never happened: \(kind)") }
        print(run.failures.isEmpty ? "no failure" : "\(run.failures.count) seeds failed")
        if !run.failures.isEmpty || !missing.isEmpty { exit(1) }
    }
}

/// Seeds that some threads share: each takes one after the other.
private final class Work: Sendable {
    private let seeds: [UInt64]
    private let next = Atomic<Int>(0)
    private let result = Mutex(SimulationRun())
    private let faults = SeedChoice.faults
    private let stopsAtFailure = SeedChoice.number("SIM_UNTIL_FAILURE") != nil

    init(_ seeds: [UInt64]) {
        self.seeds = seeds
    }

    func run(threads: Int) throws -> SimulationRun {
        if threads > 1 {
            let thread = try Thread(name: "simulator") { [self] in _ = try? run(threads: threads - 1) }
            takeSeeds()
            thread.join()
        } else {
            takeSeeds()
        }
        return result.withLock { $0 }
    }

    private func takeSeeds() {
        var own = SimulationRun()
        while true {
            let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
            guard index < seeds.count else { break }
            own.run(seeds[index], faults: faults)
            if stopsAtFailure, !own.failures.isEmpty { next.store(seeds.count, ordering: .relaxed) }
        }
        result.withLock { [own] in $0.add(own) }
    }
}
