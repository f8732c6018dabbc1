/// SipHash-2-4 with 128 bits of output (Aumasson, Bernstein): a hash whose collisions nobody can compute without the
/// key.
struct SipHash: Sendable {
    private let key0: UInt64
    private let key1: UInt64

    /// With a secret key of this process: hashes must not be stored or sent.
    static func random() -> SipHash {
        var generator = SystemRandomNumberGenerator()
        return SipHash(generator.next(), generator.next())
    }

    init(_ key0: UInt64, _ key1: UInt64) {
        (self.key0, self.key1) = (key0, key1)
    }

    func hash(_ bytes: Span<UInt8>) -> KeyHash {
        var state = State(key0, key1)
        var at = 0
        while at &+ 8 <= bytes.count {
            var word: UInt64 = 0
            for index in 0..<8 { word |= UInt64(bytes[at &+ index]) << UInt64(8 &* index) }
            state.take(word)
            at &+= 8
        }
        var last = UInt64(truncatingIfNeeded: bytes.count) << 56
        var shift: UInt64 = 0
        while at < bytes.count {
            last |= UInt64(bytes[at]) << shift
            shift &+= 8
            at &+= 1
        }
        state.take(last)
        return state.finish()
    }

    private struct State {
        private var v0, v1, v2, v3: UInt64

        init(_ key0: UInt64, _ key1: UInt64) {
            v0 = key0 ^ 0x736F_6D65_7073_6575
            v1 = key1 ^ 0x646F_7261_6E64_6F6D ^ 0xEE
            v2 = key0 ^ 0x6C79_6765_6E65_7261
            v3 = key1 ^ 0x7465_6462_7974_6573
        }

        @inline(__always)
        mutating func take(_ word: UInt64) {
            v3 ^= word
            rounds(2)
            v0 ^= word
        }

        mutating func finish() -> KeyHash {
            v2 ^= 0xEE
            rounds(4)
            let low = v0 ^ v1 ^ v2 ^ v3
            v1 ^= 0xDD
            rounds(4)
            return KeyHash(low: low, high: v0 ^ v1 ^ v2 ^ v3)
        }

        @inline(__always)
        private mutating func rounds(_ count: Int) {
            for _ in 0..<count {
                v0 = v0 &+ v1
                v1 = Self.rotated(v1, 13) ^ v0
                v0 = Self.rotated(v0, 32)
                v2 = v2 &+ v3
                v3 = Self.rotated(v3, 16) ^ v2
                v0 = v0 &+ v3
                v3 = Self.rotated(v3, 21) ^ v0
                v2 = v2 &+ v1
                v1 = Self.rotated(v1, 17) ^ v2
                v2 = Self.rotated(v2, 32)
            }
        }

        @inline(__always)
        private static func rotated(_ word: UInt64, _ count: UInt64) -> UInt64 {
            word &<< count | word &>> (64 &- count)
        }
    }
}

/// 128 bits that stand for a key.
struct KeyHash: Sendable, Equatable {
    var low: UInt64
    var high: UInt64
}
