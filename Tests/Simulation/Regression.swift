/// A fault of the shipped code that the simulation found. Its fix stays fixed: `mutants.txt` takes it back under the same
/// name, and `make mutants` says which seed finds it then. Or a mistake of the simulation itself.
package struct Regression: Sendable {
    package let name: String
    package let seed: UInt64
    /// What it needs to show, made likely: as in `mutants.txt`.
    package var faults: [FaultKind: Int] = [:]

    package static let all = [
        Regression(name: "headHeldBack", seed: 657),
        Regression(name: "endDropsPipelined", seed: 708),
        Regression(name: "upstreamNeverTimed", seed: 262),
        Regression(name: "relayFollowed", seed: 622),
        Regression(name: "handOverLost", seed: 51),
        Regression(name: "drainDropsPipelined", seed: 582),
        Regression(name: "stopLooksComplete", seed: 1_059),
        Regression(name: "emptyStreamHangs", seed: 296),
        Regression(name: "silenceHurries", seed: 2_287),
        Regression(name: "blankDate", seed: 25),
        Regression(name: "speaksAfterEnd", seed: 133),
        Regression(name: "idleTimeKept", seed: 4_573, faults: [.partialWrite: 500, .delay: 500]),
        Regression(name: "slowLooksSilent", seed: 20),
        // The first byte of a breach may have been relayed before the second one shows that it is one.
        Regression(name: "the simulation's: a breach that is cut", seed: 93_673),
    ]
}
