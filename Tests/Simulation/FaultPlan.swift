package import Containers

/// How often each kind of fault happens in one seed, and how often it did.
///
/// Swarm testing: a seed switches about half of the kinds off and gives the others very different probabilities, so that
/// faults which hide each other are also seen alone.
package struct FaultPlan: Sendable {
    /// Chance in 1,000 by kind.
    private var chances: [Int]
    /// How often it happened, by kind.
    package private(set) var counts: [Int]

    /// A plan without any fault.
    package init() {
        chances = Array(repeating: 0, count: FaultKind.allCases.count)
        counts = chances
    }

    /// The plan of a seed. Every fourth seed has no lossy faults, every fourth none that excuses other exchanges than its own.
    package init(seed: UInt64) {
        self.init()
        let isClean = seed % 4 == 0
        let isStrict = seed % 4 == 1
        for kind in FaultKind.allCases {
            // Of each kind alone: a new kind does not change the others' plans.
            var random = RandomSource(seed: seed ^ Self.number(of: kind))
            let isOn = random.below(2) == 0
            let chance = [5, 20, 60, 150, 300][random.below(5)]
            if isOn, !(isClean && kind.isLossy), !(isStrict && kind.excusesOthers) { chances[kind.index] = chance }
        }
    }

    private static func number(of kind: FaultKind) -> UInt64 {
        "\(kind)".utf8.reduce(0x5EED_FA17) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    package subscript(kind: FaultKind) -> Int {
        get { chances[kind.index] }
        set { chances[kind.index] = newValue }
    }

    /// Whether no exchange may fail under this plan.
    package var isClean: Bool { FaultKind.allCases.allSatisfy { !$0.isLossy || self[$0] == 0 } }

    /// Throws the dice for a fault that is planned now and happens later, if ever.
    package func decides(_ kind: FaultKind, _ random: inout RandomSource) -> Bool {
        let chance = chances[kind.index]
        return chance > 0 && random.below(1_000) < chance
    }

    /// Counts a fault that happens now.
    package mutating func count(_ kind: FaultKind) { counts[kind.index] += 1 }
}

/// Faults of a whole run over many seeds.
package struct FaultTotals: Sendable {
    package private(set) var counts = Array(repeating: 0, count: FaultKind.allCases.count)

    package init() {}

    package mutating func add(_ plan: FaultPlan) {
        for index in counts.indices { counts[index] += plan.counts[index] }
    }

    package mutating func add(_ other: FaultTotals) {
        for index in counts.indices { counts[index] += other.counts[index] }
    }

    /// Kinds that never happened.
    package var missing: [FaultKind] { FaultKind.allCases.filter { counts[$0.index] == 0 } }

    package var table: String {
        FaultKind.allCases.map { kind in
            let number = String(counts[kind.index])
            return String(repeating: " ", count: max(1, 9 - number.count)) + number + "  " + "\(kind)"
        }.joined(separator: "\n")
    }
}
