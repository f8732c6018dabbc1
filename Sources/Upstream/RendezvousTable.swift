private import Containers
private import Glibc

/// Which endpoint a key belongs to: weighted rendezvous hashing (Thaler and Ravishankar), computed ahead for 32,768
/// slots.
///
/// Each slot goes to the endpoint with the best score for it, and a score depends on nothing but the slot, the
/// endpoint's URL and its weight. So an endpoint that leaves moves only its own keys, one that comes takes only its
/// share, the order in the file does not matter, and all gateways with the same configuration agree.
final class RendezvousTable: Sendable {
    struct Member: Sendable, Equatable {
        let index: Int
        let url: String
        let weight: Int
    }

    private static let slotBits = 15
    let members: [Member]
    private let slots: [UInt8]

    init(_ members: [Member]) {
        self.members = members
        let identities = members.map { KeyHash.shared.hash(Array($0.url.utf8).span) }
        var slots: [UInt8] = []
        slots.reserveCapacity(members.isEmpty ? 0 : 1 << Self.slotBits)
        for slot in 0..<(members.isEmpty ? 0 : UInt64(1) << UInt64(Self.slotBits)) {
            var best = 0
            var bestScore = Double.infinity
            for (position, member) in members.enumerated() {
                let bits = Self.mix(identities[position], slot) >> 11
                let uniform = (Double(bits) + 0.5) / Double(1 << 53)
                let score = -log(uniform) / Double(member.weight)
                if score < bestScore {
                    bestScore = score
                    best = position
                }
            }
            slots.append(UInt8(truncatingIfNeeded: members[best].index))
        }
        self.slots = slots
    }

    /// Index of the endpoint that `key` belongs to; with `attempt` > 0, where it goes when the ones before are not
    /// usable. Nil without endpoints.
    func endpoint(key: UInt64, attempt: UInt64) -> Int? {
        let slot = Int(truncatingIfNeeded: Self.mix(key, attempt) >> UInt64(64 - Self.slotBits))
        guard slot < slots.count else { return nil }
        return Int(slots[slot])
    }

    /// Spreads two numbers over 64 bits (the finaliser of splitmix64, twice).
    @inline(__always)
    static func mix(_ first: UInt64, _ second: UInt64) -> UInt64 {
        finalise(first &+ finalise(second &+ 0x9E37_79B9_7F4A_7C15))
    }

    @inline(__always)
    private static func finalise(_ value: UInt64) -> UInt64 {
        var value = value
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
