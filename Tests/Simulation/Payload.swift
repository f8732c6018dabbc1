import Glibc

/// Bodies that name their exchange and their place in every 32 bytes, so that a byte of another exchange, a lost one or
/// a doubled one is seen wherever it stands.
package enum Payload {
    package enum Side: UInt8 { case request = 0x3E, response = 0x3C }

    private static let tile = 32

    /// `count` bytes of the body of one side of the exchange with this nonce (16 bytes).
    package static func bytes(_ nonce: String, _ side: Side, count: Int) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(count + tile)
        var template = [side.rawValue] + Array(nonce.utf8) + Array("....000000000000000".utf8)
        template.removeLast(max(0, template.count - tile))
        template[tile - 1] = 0x0A
        var index = 0
        while result.count < count {
            var rest = index
            for place in stride(from: tile - 2, through: tile - 9, by: -1) {
                template[place] = 0x30 + UInt8(rest % 10)
                rest /= 10
            }
            result.append(contentsOf: template)
            index += 1
        }
        result.removeLast(result.count - count)
        return result
    }

    /// Whether `part` stands in `whole` at `offset`.
    package static func stands(_ part: [UInt8], at offset: Int, in whole: [UInt8]) -> Bool {
        guard offset + part.count <= whole.count else { return false }
        if part.isEmpty { return true }
        return unsafe part.withUnsafeBytes { part in
            unsafe whole.withUnsafeBytes { whole in
                guard let first = part.baseAddress, let second = whole.baseAddress else { return false }
                return unsafe memcmp(first, second + offset, part.count) == 0
            }
        }
    }
}
