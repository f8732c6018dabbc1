import HTTP

/// A hash over eight bytes at a time, for tables whose keys come from the configuration: clients cannot add to them, so that
/// long chains of colliding keys cannot be provoked.
struct WordHash {
    private(set) var value: UInt64 = 0x9E37_79B9_7F4A_7C15

    @inline(__always)
    mutating func add(_ word: UInt64) {
        value = (value ^ word) &* 0xFF51_AFD7_ED55_8CCD
        value ^= value &>> 32
    }

    /// The hash of a run of bytes: its words in order, the last one filled up with zeros, then the count.
    @inline(__always)
    init(_ bytes: Span<UInt8>) {
        var rest = bytes
        while rest.count >= 8 {
            add(ByteScan.word(rest))
            rest = rest.extracting(droppingFirst: 8)
        }
        var word: UInt64 = 0
        var shift: UInt64 = 0
        while rest.count > 0 {
            word |= UInt64(rest[0]) &<< shift
            shift &+= 8
            rest = rest.extracting(droppingFirst: 1)
        }
        add(word)
        add(UInt64(truncatingIfNeeded: bytes.count))
    }

    init() {}

    /// `shift` for `slot` in a table that is at most half full with `count` entries and has 2^(64 - shift) slots.
    static func shift(count: Int) -> UInt64 {
        var bits: UInt64 = 1
        while 1 << bits < count * 2 { bits += 1 }
        return 64 - bits
    }

    @inline(__always)
    func slot(shift: UInt64) -> Int {
        Int(truncatingIfNeeded: value &>> shift)
    }
}

/// The next segment of a path, as the trie looks it up.
struct ScannedSegment {
    /// Where it ends: at a slash or at the path's end.
    let end: Int
    /// As `WordHash` of the segment's bytes.
    let hash: WordHash
    /// Its first eight bytes as a little-endian word, filled up with zeros.
    let first: UInt64

    /// - Parameter start: at most the path's count.
    @inline(__always)
    init(_ path: Span<UInt8>, from start: Int) {
        var rest = path.extracting(droppingFirst: start)
        var hash = WordHash()
        var first: UInt64?
        var last: UInt64 = 0
        while rest.count > 0 {
            let word: UInt64
            let bytes: Int
            if rest.count >= 8 {
                word = ByteScan.word(rest)
                bytes = 8
            } else {
                bytes = rest.count
                word = Self.lastWord(path, bytes)
            }
            let marks = Self.slashes(word)
            if marks != 0 {
                let kept = UInt64(truncatingIfNeeded: marks.trailingZeroBitCount &- 7)
                last = word & ((1 &<< kept) &- 1)
                rest = rest.extracting(droppingFirst: Int(truncatingIfNeeded: kept &>> 3))
                break
            }
            rest = rest.extracting(droppingFirst: bytes)
            if bytes < 8 {
                last = word
                break
            }
            hash.add(word)
            if first == nil { first = word }
        }
        let end = path.count &- rest.count
        hash.add(last)
        hash.add(UInt64(truncatingIfNeeded: end &- start))
        self.end = end
        self.hash = hash
        self.first = first ?? last
    }

    /// The last `count` (1 to 7) bytes of a path as a word.
    @inline(__always)
    private static func lastWord(_ path: Span<UInt8>, _ count: Int) -> UInt64 {
        if path.count >= 8 {
            let whole = ByteScan.word(path.extracting(droppingFirst: path.count &- 8))
            return whole &>> UInt64(truncatingIfNeeded: 64 &- 8 &* count)
        }
        var word: UInt64 = 0
        for index in (path.count &- count)..<path.count { word = word &>> 8 | UInt64(path[index]) &<< 56 }
        return word &>> UInt64(truncatingIfNeeded: 64 &- 8 &* count)
    }

    /// Marks slashes in the high bit of their bytes; only the first mark is to be believed.
    @inline(__always)
    private static func slashes(_ word: UInt64) -> UInt64 {
        let zeroed = word ^ 0x2F2F_2F2F_2F2F_2F2F
        return (zeroed &- 0x0101_0101_0101_0101) & ~zeroed & 0x8080_8080_8080_8080
    }
}
