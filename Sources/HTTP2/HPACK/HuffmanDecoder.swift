import Containers

/// Decodes Huffman-coded strings by ten bits at a time: one or two symbols out of a table, longer codes by where their length
/// begins.
struct HuffmanDecoder: ~Copyable {
    /// For each run of ten bits: symbols << 28 | bits of them all << 20 | bits of the first << 16 | second << 8 | first;
    /// 0 where a longer code begins.
    private var roots = FixedArray<UInt32>(repeating: 0, count: 1 << 10)
    /// Of each length: its first code, to the left of 32 bits, and the place of that code's symbol.
    private var firstCodes = FixedArray<UInt32>(repeating: 0, count: 32)
    private var firstPlaces = FixedArray<Int32>(repeating: 0, count: 33)
    /// In the order of their codes.
    private var symbols = FixedArray<UInt16>(repeating: 0, count: HuffmanCode.symbolCount)

    /// Bytes that the last word may write behind what was decoded.
    static let slack = 16

    init() {
        var singles = FixedArray<UInt32>(repeating: 0, count: 1 << 10)
        var code = 0
        var place = 0
        for length in 1...HuffmanCode.longest {
            firstCodes[length] = UInt32(truncatingIfNeeded: code << (32 - length))
            firstPlaces[length] = Int32(place)
            for symbol in 0..<HuffmanCode.symbolCount where Int(HuffmanCode.lengths[symbol]) == length {
                symbols[place] = UInt16(symbol)
                if length <= 10 {
                    let first = code << (10 - length)
                    for slot in first..<(first + 1 << (10 - length)) {
                        singles[slot] = UInt32(length) << 16 | UInt32(symbol)
                    }
                }
                place += 1
                code += 1
            }
            code <<= 1
        }
        firstPlaces[31] = Int32(place)
        for slot in 0..<(1 << 10) where singles[slot] != 0 {
            let length = singles[slot] >> 16
            let second = singles[slot << Int(length) & 1_023]
            if second != 0 && length + second >> 16 <= 10 {
                roots[slot] =
                    2 << 28 | (length + second >> 16) << 20 | length << 16 | (second & 0xFF) << 8 | singles[slot] & 0xFF
            } else {
                roots[slot] = 1 << 28 | length << 20 | length << 16 | singles[slot] & 0xFF
            }
        }
    }

    /// Bytes that `count` coded ones can become at most, with what the last word writes: the shortest code has five bits.
    @inline(__always)
    static func room(_ count: Int) -> Int { count &* 8 / 5 &+ slack }

    /// Appends what `bytes` say; there must be `room` for it. False for a code that is none, for the end of a string inside of
    /// it and for padding that is longer than seven bits or no ones (RFC 7541 section 5.2).
    borrowing func decode(_ bytes: Span<UInt8>, into output: inout Buffer) -> Bool {
        var bits: UInt64 = 0
        var count: UInt64 = 0
        var at = 0
        var word: UInt64 = 0
        var wordBits: UInt64 = 0
        while true {
            while count <= 56 && at < bytes.count {
                bits |= UInt64(bytes[at]) &<< (56 &- count)
                count &+= 8
                at &+= 1
            }
            if count < 10 && at >= bytes.count { break }
            let root = roots[Int(truncatingIfNeeded: bits &>> 54)]
            if root != 0 {
                let used = UInt64(root &>> 20 & 0xFF)
                if used > count { break }
                word |= UInt64(root & 0xFFFF) &<< wordBits
                wordBits &+= UInt64(root &>> 28) &<< 3
                bits &<<= used
                count &-= used
            } else {
                guard let long = longCode(bits), long.length <= count, long.symbol != HuffmanCode.endOfString else {
                    return false
                }
                word |= UInt64(long.symbol) &<< wordBits
                wordBits &+= 8
                bits &<<= long.length
                count &-= long.length
            }
            if wordBits >= 48 { Self.flush(&word, &wordBits, to: &output) }
        }
        guard decodeRest(&bits, &count, &word, &wordBits) else { return false }
        Self.flush(&word, &wordBits, to: &output)
        return count < 8 && (count == 0 || bits &>> (64 &- count) == (1 &<< count) &- 1)
    }

    @inline(__always)
    private static func flush(_ word: inout UInt64, _ bits: inout UInt64, to output: inout Buffer) {
        output.append(littleEndian: word)
        output.keepFirst(output.count &- 8 &+ Int(truncatingIfNeeded: bits &>> 3))
        word = 0
        bits = 0
    }

    /// The last symbols one by one; at most two are left behind the loop above.
    @inline(__always)
    private borrowing func decodeRest(
        _ bits: inout UInt64, _ count: inout UInt64, _ word: inout UInt64, _ wordBits: inout UInt64
    ) -> Bool {
        while count >= 5 {
            let root = roots[Int(truncatingIfNeeded: bits &>> 54)]
            let length = root != 0 ? UInt64(root &>> 16 & 0xF) : 11
            // A long code has more bits than are left: padding, or none.
            if length > count { return true }
            if root == 0 { return false }
            word |= UInt64(root & 0xFF) &<< wordBits
            wordBits &+= 8
            bits &<<= length
            count &-= length
        }
        return true
    }

    @inline(never)
    private borrowing func longCode(_ bits: UInt64) -> (symbol: Int, length: UInt64)? {
        let word = UInt32(truncatingIfNeeded: bits &>> 32)
        var length = HuffmanCode.longest
        while length > 10 && (firstCodes[length] > word || firstPlaces[length] == firstPlaces[length &+ 1]) {
            length &-= 1
        }
        let offset = Int((word &- firstCodes[length]) &>> UInt32(truncatingIfNeeded: 32 &- length))
        let place = Int(firstPlaces[length]) &+ offset
        guard place < HuffmanCode.symbolCount else { return nil }
        return (Int(symbols[place]), UInt64(length))
    }
}
