import Glibc

/// Which seeds a test runs: `SIM_SEED=` replays one, `SIM_SEEDS=` sets the number of them, `SIM_FIRST=` the first.
package enum SeedChoice {
    package static func seeds(default count: Int) -> [UInt64] {
        if let one = number("SIM_SEED") { return [one] }
        let first = number("SIM_FIRST") ?? 0
        return (0..<(number("SIM_SEEDS") ?? UInt64(count))).map { first + $0 }
    }

    /// Whether a single seed is replayed, and so everything should be told.
    package static var isReplay: Bool { number("SIM_SEED") != nil }

    /// Chances in 1,000 that are not left to the seeds: `SIM_FAULTS=delay=500,partialWrite=500`.
    package static var faults: [FaultKind: Int] {
        guard let text = unsafe getenv("SIM_FAULTS") else { return [:] }
        var faults: [FaultKind: Int] = [:]
        for item in unsafe String(cString: text).split(separator: ",") {
            let parts = item.split(separator: "=")
            guard parts.count == 2, let kind = FaultKind.allCases.first(where: { "\($0)" == parts[0] }),
                let chance = Int(parts[1])
            else { preconditionFailure("SIM_FAULTS: \(item)") }
            faults[kind] = chance
        }
        return faults
    }

    package static func number(_ name: String) -> UInt64? {
        guard let text = unsafe getenv(name) else { return nil }
        return unsafe UInt64(String(cString: text))
    }
}
