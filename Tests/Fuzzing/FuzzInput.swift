/// Takes an input apart: first what decides about settings, then the bytes for the code under test.
struct FuzzInput {
    private var bytes: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { self.bytes = bytes[...] }

    var isEmpty: Bool { bytes.isEmpty }

    /// The next byte; 0 when there is none.
    mutating func byte() -> UInt8 { bytes.popFirst() ?? 0 }

    mutating func take(_ count: Int) -> [UInt8] {
        defer { bytes = bytes.dropFirst(count) }
        return Array(bytes.prefix(count))
    }

    mutating func rest() -> [UInt8] { take(bytes.count) }
}

/// Where an input is cut: everywhere in a short one; in a long one at about 64 places, and around line ends.
func cuts(of count: Int, _ bytes: [UInt8]) -> [Int] {
    if count <= 96 { return Array(0...count) }
    let step = count / 64
    var found: [Int] = []
    for index in 0...count {
        let isNearLineEnd = index > 0 && index <= bytes.count && (bytes[index - 1] == 13 || bytes[index - 1] == 10)
        if index % step == 0 || index == count || (isNearLineEnd && found.count < 256) { found.append(index) }
    }
    return found
}

/// An input in pieces whose lengths another number decides: one byte each, or any.
func pieces(of bytes: [UInt8], cutBy pattern: UInt8) -> [[UInt8]] {
    if pattern == 0 { return bytes.map { [$0] } }
    var result: [[UInt8]] = []
    var state = UInt64(pattern)
    var rest = bytes[...]
    while !rest.isEmpty {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let count = 1 + Int(state >> 40) % (1 + Int(pattern) / 4)
        result.append(Array(rest.prefix(count)))
        rest = rest.dropFirst(count)
    }
    return result
}
