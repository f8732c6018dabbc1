/// SipHash-1-3 (Aumasson and Bernstein) over bytes, with a key: a table whose key nobody outside knows cannot be
/// flooded with colliding entries.
///
/// Values are the same on every machine and in every run for the same key, unlike `Hasher`.
package struct KeyHash: Sendable {
    private let key0: UInt64
    private let key1: UInt64

    package init(key0: UInt64, key1: UInt64) {
        self.key0 = key0
        self.key1 = key1
    }

    /// For choices that several gateways, or one before and after a restart, have to make alike.
    package static let shared = KeyHash(key0: 0x6D61_7274_6C65_7400, key1: 0x7265_6E64_657A_766F)

    /// The hash of `bytes`. With `after`, the hash of the bytes that gave `after` and then these, as two parts: ("a", "bc")
    /// and ("ab", "c") differ.
    package func hash(_ bytes: Span<UInt8>, after previous: UInt64 = 0) -> UInt64 {
        var state = SipState(key0: key0 ^ previous, key1: key1)
        let count = bytes.count
        var index = 0
        while count &- index >= 8 {
            var word: UInt64 = 0
            for offset in 0..<8 {
                word |= UInt64(bytes[index &+ offset]) << UInt64(truncatingIfNeeded: offset &* 8)
            }
            state.absorb(word)
            index &+= 8
        }
        var last = UInt64(truncatingIfNeeded: count) << 56
        var shift: UInt64 = 0
        while index < count {
            last |= UInt64(bytes[index]) << shift
            shift &+= 8
            index &+= 1
        }
        state.absorb(last)
        return state.finish()
    }

    /// The hash of one number.
    package func hash(_ value: UInt64) -> UInt64 {
        var state = SipState(key0: key0, key1: key1)
        state.absorb(value)
        state.absorb(8 << 56)
        return state.finish()
    }
}

private struct SipState {
    private var v0: UInt64
    private var v1: UInt64
    private var v2: UInt64
    private var v3: UInt64

    @inline(__always)
    init(key0: UInt64, key1: UInt64) {
        v0 = key0 ^ 0x736F_6D65_7073_6575
        v1 = key1 ^ 0x646F_7261_6E64_6F6D
        v2 = key0 ^ 0x6C79_6765_6E65_7261
        v3 = key1 ^ 0x7465_6462_7974_6573
    }

    @inline(__always)
    mutating func absorb(_ word: UInt64) {
        v3 ^= word
        round()
        v0 ^= word
    }

    @inline(__always)
    mutating func finish() -> UInt64 {
        v2 ^= 0xFF
        round()
        round()
        round()
        return v0 ^ v1 ^ v2 ^ v3
    }

    @inline(__always)
    private mutating func round() {
        v0 &+= v1
        v1 = Self.rotate(v1, 13) ^ v0
        v0 = Self.rotate(v0, 32)
        v2 &+= v3
        v3 = Self.rotate(v3, 16) ^ v2
        v0 &+= v3
        v3 = Self.rotate(v3, 21) ^ v0
        v2 &+= v1
        v1 = Self.rotate(v1, 17) ^ v2
        v2 = Self.rotate(v2, 32)
    }

    @inline(__always)
    private static func rotate(_ value: UInt64, _ count: UInt64) -> UInt64 {
        value &<< count | value &>> (64 &- count)
    }
}
