import Containers

/// What a record of the simulated worlds' TLS brings: framed as RFC 8446 section 5.1 has it, but sealed with a sum and a mask in place of
/// a cipher, so that a seed gives the same bytes each time.
enum SecureRecord: Equatable {
    /// Number of the flight of the handshake that is whole with it; nil: a part of one.
    case flight(Int?)
    case content([UInt8])
    case closeNotify
    /// What no end of this connection has sealed, or something else in its place.
    case broken
}

/// Seals the records of one direction.
struct RecordSealer {
    static let mostContent = 16_384

    private let key: UInt64
    private var number: UInt64 = 0

    init(key: UInt64) { self.key = key }

    mutating func seal(_ content: [UInt8], most: Int) -> [UInt8] {
        var sealed: [UInt8] = []
        var start = 0
        while start < content.count {
            let end = min(content.count, start + most)
            sealed += record(23, Array(content[start..<end]))
            start = end
        }
        return sealed
    }

    /// A flight in some records, of any length.
    mutating func flight(_ index: Int, _ random: inout RandomSource) -> [UInt8] {
        var sealed: [UInt8] = []
        for _ in 0..<random.below(3) { sealed += record(22, Array(repeating: 0, count: 4 + random.below(400))) }
        return sealed
            + record(22, [1, UInt8(index >> 8), UInt8(index & 255)] + Array(repeating: 0, count: random.below(500)))
    }

    mutating func closeNotify() -> [UInt8] { record(21, [1, 0]) }

    private mutating func record(_ type: UInt8, _ body: [UInt8]) -> [UInt8] {
        let (masked, tag) = RecordMask.apply(body, key: key, number: number, type: type)
        number += 1
        let count = masked.count + 8
        return [type, 3, 3, UInt8(count >> 8), UInt8(count & 255)] + masked + tag
    }
}

/// Reads the records of one direction.
struct SecureReader {
    private let key: UInt64
    private var number: UInt64 = 0
    private var bytes = ByteQueue()
    private var header: [UInt8] = []

    init(key: UInt64) { self.key = key }

    mutating func feed(_ more: [UInt8]) { bytes.append(more) }

    /// Nil: more has to come first.
    mutating func next() -> SecureRecord? {
        if header.count < 5 { header += bytes.take(5 - header.count) }
        // The first byte that is none tells.
        if let type = header.first, !(21...23).contains(type) { return .broken }
        guard header.count == 5 else { return nil }
        let count = Int(header[3]) << 8 | Int(header[4])
        guard header[1...2] == [3, 3], count >= 8, count <= RecordSealer.mostContent + 8 else { return .broken }
        guard bytes.count >= count else { return nil }
        let body = bytes.take(count)
        let type = header[0]
        header = []
        return open(type, Array(body.dropLast(8)), tag: Array(body.suffix(8)))
    }

    private mutating func open(_ type: UInt8, _ masked: [UInt8], tag: [UInt8]) -> SecureRecord {
        let body = RecordMask.remove(masked, key: key)
        guard RecordMask.apply(body, key: key, number: number, type: type).tag == tag else { return .broken }
        number += 1
        switch type {
        case 21: return .closeNotify
        case 22: return .flight(body[0] == 0 ? nil : Int(body[1]) << 8 | Int(body[2]))
        default: return .content(body)
        }
    }
}

/// What stands in for a cipher: content does not look like itself, and a byte that is changed or comes twice shows.
private enum RecordMask {
    static func apply(
        _ body: [UInt8], key: UInt64, number: UInt64, type: UInt8
    ) -> (masked: [UInt8], tag: [UInt8]) {
        var sum = (key ^ number &* 0x9E37_79B9_7F4A_7C15 ^ UInt64(type)) &* 0x100_0000_01B3
        let mask = UInt8(truncatingIfNeeded: key) | 0x80
        var masked = body
        for index in body.indices {
            sum = (sum ^ UInt64(body[index])) &* 0x100_0000_01B3
            masked[index] = body[index] ^ mask
        }
        sum ^= sum >> 29
        return (masked, (0..<8).map { UInt8(truncatingIfNeeded: sum >> (8 * UInt64($0))) })
    }

    static func remove(_ masked: [UInt8], key: UInt64) -> [UInt8] {
        let mask = UInt8(truncatingIfNeeded: key) | 0x80
        return masked.map { $0 ^ mask }
    }
}
