package import Net

/// The PROXY protocol's header, version 1 (text) and 2 (binary), as HAProxy's specification of 2020 has it.
package enum ProxyHeader {
    package enum Outcome: Equatable {
        case needMoreBytes
        case invalid
        /// The header has `count` bytes; without a client (LOCAL, UNKNOWN) the connection's own ends count. `localPort` is the one
        /// that the client connected to.
        case header(count: Int, client: IPAddress?, port: UInt16, localPort: UInt16)
    }

    /// Longest line of version 1 with its CRLF.
    private static let lineLimit = 107
    /// Address block and extensions of version 2 that are accepted.
    private static let blockLimit = 4_096
    private static let signature: InlineArray<12, UInt8> = [
        0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A,
    ]
    private static let word: InlineArray<6, UInt8> = [0x50, 0x52, 0x4F, 0x58, 0x59, 0x20]

    package static func parse(_ bytes: Span<UInt8>) -> Outcome {
        guard bytes.count > 0 else { return .needMoreBytes }
        return bytes[0] == 0x0D ? parseBinary(bytes) : parseText(bytes)
    }

    // MARK: Version 1

    private static func parseText(_ bytes: Span<UInt8>) -> Outcome {
        for index in 0..<min(bytes.count, word.count) where bytes[index] != word[index] { return .invalid }
        var end = 0
        while end < bytes.count, bytes[end] != 0x0A { end &+= 1 }
        if end >= lineLimit { return .invalid }
        if end == bytes.count { return .needMoreBytes }
        guard end > word.count, bytes[end &- 1] == 0x0D else { return .invalid }
        return parseLine(bytes.extracting(word.count..<end &- 1), count: end &+ 1)
    }

    /// `TCP4 source destination sourcePort destinationPort` or `UNKNOWN…`.
    private static func parseLine(_ line: Span<UInt8>, count: Int) -> Outcome {
        // Whatever stands behind UNKNOWN is to be ignored (section 2.1): it need not be five words.
        if isUnknown(line) { return .header(count: count, client: nil, port: 0, localPort: 0) }
        var parts = InlineArray<5, Range<Int>>(repeating: 0..<0)
        var found = 0
        var start = 0
        for index in 0...line.count where index == line.count || line[index] == 0x20 {
            guard found < 5 else { return .invalid }
            parts[found] = start..<index
            found &+= 1
            start = index &+ 1
        }
        let family = line.extracting(parts[0])
        guard found == 5, family.count == 4, family[0] == 0x54, family[1] == 0x43, family[2] == 0x50,
            let source = IPAddress(line.extracting(parts[1])), let destination = IPAddress(line.extracting(parts[2])),
            let port = port(line.extracting(parts[3])), let localPort = self.port(line.extracting(parts[4]))
        else { return .invalid }
        switch (family[3], source, destination) {
        case (0x34, .v4, .v4), (0x36, .v6, .v6):
            return .header(count: count, client: source.canonical, port: port, localPort: localPort)
        default: return .invalid
        }
    }

    private static func isUnknown(_ line: Span<UInt8>) -> Bool {
        let expected: InlineArray<7, UInt8> = [0x55, 0x4E, 0x4B, 0x4E, 0x4F, 0x57, 0x4E]
        guard line.count >= 7 else { return false }
        for index in 0..<7 where line[index] != expected[index] { return false }
        return line.count == 7 || line[7] == 0x20
    }

    private static func port(_ bytes: Span<UInt8>) -> UInt16? {
        guard bytes.count > 0, bytes.count <= 5 else { return nil }
        var value = 0
        for index in 0..<bytes.count {
            guard bytes[index] >= 0x30, bytes[index] <= 0x39 else { return nil }
            value = value * 10 + Int(bytes[index] - 0x30)
        }
        return UInt16(exactly: value)
    }

    // MARK: Version 2

    private static func parseBinary(_ bytes: Span<UInt8>) -> Outcome {
        for index in 0..<min(bytes.count, signature.count) where bytes[index] != signature[index] { return .invalid }
        guard bytes.count >= 16 else { return .needMoreBytes }
        let command = bytes[12]
        guard command >> 4 == 2, command & 15 <= 1 else { return .invalid }
        let length = Int(bytes[14]) << 8 | Int(bytes[15])
        guard length <= blockLimit else { return .invalid }
        let count = 16 + length
        guard bytes.count >= count else { return .needMoreBytes }
        if command & 15 == 0 { return .header(count: count, client: nil, port: 0, localPort: 0) }
        switch bytes[13] >> 4 {
        case 1:
            guard length >= 12 else { return .invalid }
            let address = IPAddress.v4(UInt32(truncatingIfNeeded: number(bytes, at: 16, count: 4)))
            return .header(count: count, client: address, port: port(bytes, at: 24), localPort: port(bytes, at: 26))
        case 2:
            guard length >= 36 else { return .invalid }
            let address = IPAddress.v6(number(bytes, at: 16, count: 8), number(bytes, at: 24, count: 8))
            return .header(
                count: count, client: address.canonical, port: port(bytes, at: 48), localPort: port(bytes, at: 50))
        default:
            return .header(count: count, client: nil, port: 0, localPort: 0)
        }
    }

    private static func port(_ bytes: Span<UInt8>, at start: Int) -> UInt16 {
        UInt16(truncatingIfNeeded: number(bytes, at: start, count: 2))
    }

    private static func number(_ bytes: Span<UInt8>, at start: Int, count: Int) -> UInt64 {
        var value: UInt64 = 0
        for index in start..<start + count { value = value << 8 | UInt64(bytes[index]) }
        return value
    }
}
