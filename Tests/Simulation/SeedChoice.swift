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

    package static func number(_ name: String) -> UInt64? {
        guard let text = unsafe getenv(name) else { return nil }
        return unsafe UInt64(String(cString: text))
    }
}
