import Containers
import Glibc
import HTTP
import HTTP1
import Net
import Proxy

/// Who a request is from: `[what][…]`; a PROXY header, or the field lines of a trusted peer's request.
///
/// Both are read as a naive reading with the C library's address parser does, however they are cut.
enum ForwardedFuzz {
    static func run(_ input: [UInt8]) throws(FuzzViolation) {
        var parts = FuzzInput(input)
        let settings = parts.byte()
        if settings & 1 == 0 {
            try runProxyHeader(parts.rest())
        } else {
            try runFields(trustedBelow: settings, parts.rest())
        }
    }

    // MARK: PROXY protocol

    private static func runProxyHeader(_ bytes: [UInt8]) throws(FuzzViolation) {
        let whole = ProxyHeader.parse(bytes.span)
        let naive = NaiveProxyHeader.read(bytes)
        try require(whole == naive, "\(whole), not \(naive)")
        for count in cuts(of: bytes.count, bytes) {
            let outcome = ProxyHeader.parse(bytes.span.extracting(first: count))
            if outcome == .needMoreBytes {
                if case .header(let end, _, _, _) = whole {
                    try require(count < end, "\(count) bytes do not suffice for a header of \(end)")
                }
            } else {
                try require(outcome == whole, "\(outcome) with \(count) bytes, \(whole) with all")
            }
        }
        if case .header(let end, _, _, _) = whole {
            try require(end > 0 && end <= bytes.count, "a header of \(end) bytes out of \(bytes.count)")
        } else {
            // At most 4 KiB behind the 16 bytes of version 2.
            try require(whole == .invalid || bytes.count < 4_112, "more is wanted behind \(bytes.count) bytes")
        }
    }

    // MARK: X-Forwarded-For

    private static func runFields(trustedBelow limit: UInt8, _ lines: [UInt8]) throws(FuzzViolation) {
        let bytes = Array("GET / HTTP/1.1\r\nHost: a\r\n".utf8) + lines + [13, 10, 13, 10]
        var head = RequestHead()
        let isComplete = (try? RequestParser().parse(bytes.span, into: &head)) ?? false
        guard isComplete else { return }
        let peer = IPAddress.v4(0x0A00_0001)
        let client = ForwardedClient.client(fields: head, bytes: bytes.span, peer: peer) { isTrusted($0, limit) }
        let fields = HeadFields(head.fields, of: bytes)
        let values = fields.lines.filter { $0.name == "x-forwarded-for" }
        let naive = naiveClient(values.map(\.value), peer: peer) { isTrusted($0, limit) }
        try require(client == naive, "\(client), not \(naive)")
    }

    private static func isTrusted(_ address: IPAddress, _ limit: UInt8) -> Bool {
        switch address {
        case .v4(let value): UInt8(truncatingIfNeeded: value) < limit
        case .v6(_, let low): UInt8(truncatingIfNeeded: low) < limit
        }
    }

    private static func naiveClient(
        _ values: [String], peer: IPAddress, isTrusted: (IPAddress) -> Bool
    ) -> IPAddress {
        var client = peer
        let elements = values.flatMap { $0.split(separator: ",", omittingEmptySubsequences: false) }
        for element in elements.reversed().prefix(64) {
            let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
            let text = String(String(element.drop(while: isBlank).reversed()).drop(while: isBlank).reversed())
            guard let address = NaiveAddress.read(text) else { return client }
            client = address
            if !isTrusted(address) { break }
        }
        return client
    }
}

/// Addresses by the C library.
enum NaiveAddress {
    static func read(_ text: String) -> IPAddress? {
        v4(text) ?? v6(text)
    }

    static func v4(_ text: String) -> IPAddress? {
        if text.utf8.contains(0) { return nil }
        var address = in_addr()
        // SAFETY: both arguments live for the call, and the second is what AF_INET is written to.
        guard unsafe inet_pton(AF_INET, text, &address) == 1 else { return nil }
        return .v4(UInt32(bigEndian: address.s_addr))
    }

    static func v6(_ text: String) -> IPAddress? {
        if text.utf8.contains(0) { return nil }
        var address = InlineArray<2, UInt64>(repeating: 0)
        // SAFETY: as above; AF_INET6 is 16 bytes.
        guard unsafe inet_pton(AF_INET6, text, &address) == 1 else { return nil }
        return fold(UInt64(bigEndian: address[0]), UInt64(bigEndian: address[1]))
    }

    /// `::ffff:1.2.3.4` is 1.2.3.4.
    static func fold(_ high: UInt64, _ low: UInt64) -> IPAddress {
        high == 0 && low >> 32 == 0xFFFF ? .v4(UInt32(truncatingIfNeeded: low)) : .v6(high, low)
    }
}

/// The PROXY header by its specification, from the whole bytes.
enum NaiveProxyHeader {
    private static let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10]

    static func read(_ bytes: [UInt8]) -> ProxyHeader.Outcome {
        if bytes.isEmpty { return .needMoreBytes }
        let isBinary = bytes[0] == 13
        let start = isBinary ? signature : Array("PROXY ".utf8)
        if !bytes.starts(with: start.prefix(bytes.count)) { return .invalid }
        return isBinary ? binary(bytes) : text(bytes)
    }

    private static func text(_ bytes: [UInt8]) -> ProxyHeader.Outcome {
        guard let end = bytes.prefix(107).firstIndex(of: 10) else {
            return bytes.count >= 107 ? .invalid : .needMoreBytes
        }
        guard bytes[end - 1] == 13 else { return .invalid }
        let words = bytes[6..<(end - 1)].split(separator: 0x20, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        if words.first == "UNKNOWN" { return .header(count: end + 1, client: nil, port: 0, localPort: 0) }
        guard words.count == 5, let port = port(words[3]), let localPort = self.port(words[4]) else { return .invalid }
        let (client, other): (IPAddress?, IPAddress?)
        switch words[0] {
        case "TCP4": (client, other) = (NaiveAddress.v4(words[1]), NaiveAddress.v4(words[2]))
        case "TCP6": (client, other) = (NaiveAddress.v6(words[1]), NaiveAddress.v6(words[2]))
        default: return .invalid
        }
        guard let client, other != nil else { return .invalid }
        return .header(count: end + 1, client: client, port: port, localPort: localPort)
    }

    private static func port(_ text: String) -> UInt16? {
        guard (1...5).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return UInt16(text)
    }

    private static func binary(_ bytes: [UInt8]) -> ProxyHeader.Outcome {
        guard bytes.count >= 16 else { return .needMoreBytes }
        let length = Int(number(bytes[14..<16]))
        guard bytes[12] == 0x20 || bytes[12] == 0x21, length <= 4_096 else { return .invalid }
        guard bytes.count >= 16 + length else { return .needMoreBytes }
        let block = bytes[16..<(16 + length)]
        let none = ProxyHeader.Outcome.header(count: 16 + length, client: nil, port: 0, localPort: 0)
        if bytes[12] == 0x20 { return none }
        let client: IPAddress
        let portsAt: Int
        switch bytes[13] >> 4 {
        case 1:
            guard length >= 12 else { return .invalid }
            client = .v4(UInt32(number(block.prefix(4))))
            portsAt = 24
        case 2:
            guard length >= 36 else { return .invalid }
            client = NaiveAddress.fold(number(block.prefix(8)), number(block.dropFirst(8).prefix(8)))
            portsAt = 48
        default: return none
        }
        return .header(
            count: 16 + length, client: client, port: UInt16(number(bytes[portsAt..<(portsAt + 2)])),
            localPort: UInt16(number(bytes[(portsAt + 2)..<(portsAt + 4)])))
    }

    private static func number(_ bytes: some Collection<UInt8>) -> UInt64 {
        bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }
}
