/// Runs of bytes that a table refers to by place, one behind the other.
struct ByteTable: Sendable {
    struct Run: Sendable {
        let start: UInt32
        let count: UInt32
    }

    private(set) var bytes: [UInt8] = []

    mutating func append(_ run: some Collection<UInt8>) -> Run {
        let start = bytes.count
        bytes.append(contentsOf: run)
        return Run(start: UInt32(start), count: UInt32(run.count))
    }

    /// Whether `span` from `lower` to `upper` has the same bytes as `run`.
    @inline(__always)
    func equals(_ run: Run, _ span: Span<UInt8>, _ lower: Int, _ upper: Int) -> Bool {
        let start = Int(run.start)
        guard upper &- lower == Int(run.count) else { return false }
        var index = lower
        while index < upper {
            if span[index] != bytes[start &+ (index &- lower)] { return false }
            index &+= 1
        }
        return true
    }
}

/// FNV-1a, for tables whose keys come from the configuration: clients cannot add to them, so that long chains of
/// colliding keys cannot be provoked.
enum TableHash {
    static let seed: UInt64 = 0xCBF2_9CE4_8422_2325

    @inline(__always)
    static func add(_ byte: UInt8, to hash: UInt64) -> UInt64 {
        (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
    }

    /// The slot among 2^(64 - shift) of them.
    @inline(__always)
    static func slot(_ hash: UInt64, shift: UInt64) -> Int {
        Int(truncatingIfNeeded: (hash &* 0x9E37_79B9_7F4A_7C15) >> shift)
    }

    /// `shift` for a table that is at most half full with `count` entries.
    static func shift(count: Int) -> UInt64 {
        var bits: UInt64 = 1
        while 1 << bits < count * 2 { bits += 1 }
        return 64 - bits
    }
}
