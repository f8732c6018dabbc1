import Glibc
import Testing

/// TLS through the driver that ships, with OpenSSL in it, over networks that cut, hold up and lose what they carry. `SWARM_SEED=`
/// replays a seed, `SWARM_SEEDS=` sets how many there are.
@Suite struct SecureSwarmTests {
    @Test func `content comes whole however its records are cut and a cut end is told from one in order`() throws {
        let first = Self.number("SWARM_SEED")
        let seeds = first.map { $0..<($0 + 1) } ?? 0..<(Self.number("SWARM_SEEDS") ?? 54)
        for seed in seeds {
            let world = try SecureWorld(seed: seed)
            world.run()
            #expect(world.problems.isEmpty, "SWARM_SEED=\(seed)")
        }
    }

    private static func number(_ name: String) -> UInt64? {
        guard let text = unsafe getenv(name) else { return nil }
        return unsafe UInt64(String(cString: text))
    }
}
