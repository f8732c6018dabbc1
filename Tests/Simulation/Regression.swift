/// A fault of the shipped code that the simulation found. Its fix stays fixed: `mutants.txt` takes it back under the same
/// name, and `make mutants` says which seed finds it then.
package struct Regression: Sendable {
    package let name: String
    package let seed: UInt64
    /// What it needs to show, made likely: as in `mutants.txt`.
    package var faults: [FaultKind: Int] = [:]

    package static let all = [
        Regression(name: "handOverLost", seed: 51),
        Regression(name: "drainDropsPipelined", seed: 582),
        Regression(name: "stopLooksComplete", seed: 1_059),
        Regression(name: "emptyStreamHangs", seed: 296),
        Regression(name: "silenceHurries", seed: 2_287),
        Regression(name: "blankDate", seed: 25),
        Regression(name: "speaksAfterEnd", seed: 133),
    ]
}
