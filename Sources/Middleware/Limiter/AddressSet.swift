internal import Net

/// A set of networks as sorted ranges: looking an address up takes a handful of comparisons for any number of them.
struct AddressSet: Sendable {
    private let lower: [UInt128]
    /// Inclusive.
    private let upper: [UInt128]

    init(_ blocks: [CIDRBlock]) {
        let ranges = blocks.map(Self.range).sorted { $0.lower < $1.lower }
        var merged: [(lower: UInt128, upper: UInt128)] = []
        for range in ranges {
            if let last = merged.last, range.lower <= last.upper {
                merged[merged.count - 1].upper = max(last.upper, range.upper)
            } else {
                merged.append(range)
            }
        }
        lower = merged.map(\.lower)
        upper = merged.map(\.upper)
    }

    func contains(_ address: IPAddress) -> Bool {
        let number = Self.number(address)
        // The first range that begins behind the address; the one before it is the only candidate.
        var low = 0
        var high = lower.count
        while low < high {
            let middle = (low + high) / 2
            if lower[middle] <= number { low = middle + 1 } else { high = middle }
        }
        return low > 0 && number <= upper[low - 1]
    }

    /// IPv4 addresses stand where IPv6 maps them to, so that both spellings of one are one.
    private static func number(_ address: IPAddress) -> UInt128 {
        switch address {
        case .v4(let bits): 0xFFFF_0000_0000 | UInt128(bits)
        case .v6(let high, let low): UInt128(high) << 64 | UInt128(low)
        }
    }

    private static func range(_ block: CIDRBlock) -> (lower: UInt128, upper: UInt128) {
        let first = number(block.address.masked(prefix: block.prefix))
        let width = block.address.bitCount - min(max(block.prefix, 0), block.address.bitCount)
        let mask = width == 128 ? UInt128.max : (UInt128(1) << UInt128(width)) - 1
        return (first, first | mask)
    }
}
