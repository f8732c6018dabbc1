package import Containers
internal import Net

/// The one form of a request's host that routing and policies see: lower case, without port and final dot, IPv6 in
/// brackets and in the form of RFC 5952.
package enum CanonicalHost {
    /// Appends the canonical host of `authority` (`host[:port]`).
    ///
    /// The form has at most 41 bytes or as many as `authority`, whichever is more.
    ///
    /// - Returns: false, and nothing appended, when it is no authority that we accept, has an empty label, or does not fit.
    package static func append(_ authority: Span<UInt8>, to out: inout Buffer) -> Bool {
        guard out.tailroom >= max(authority.count, 41) else { return false }
        if let end = endOfPlainName(authority) {
            out.append(authority.extracting(0..<end))
            return true
        }
        guard let parsed = Authority(authority) else { return false }
        if case .address(.v6(let high, let low)) = parsed.kind {
            out.append(0x5B)
            IPAddress.v6(high, low).write { out.append($0) }
            out.append(0x5D)
            return true
        }
        let base = out.count
        var previous: UInt8 = 0x2E
        for index in parsed.host {
            let byte = authority[index]
            if byte == 0x2E, previous == 0x2E {
                out.keepFirst(base)
                return false
            }
            out.append(ByteClass.lowercased(byte))
            previous = byte
        }
        if previous == 0x2E { out.keepFirst(out.count &- 1) }
        return true
    }

    /// The canonical form of a host in configuration text; nil when it is none, or has a port.
    package static func text(of host: String) -> String? {
        let bytes = Array(host.utf8)
        guard let parsed = Authority(bytes.span), parsed.port == nil else { return nil }
        var out = Buffer(capacity: max(bytes.count, 41))
        guard append(bytes.span, to: &out) else { return nil }
        let span = out.span
        return String(decoding: span.indices.map { span[$0] }, as: UTF8.self)
    }

    /// 0: a-z, 0-9, `-` and `_`; 1: the dot; 2: everything else. A literal, as in `ByteClass`.
    private static let kinds: InlineArray<256, UInt8> = [
        2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,  // 0x00
        2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,  // 0x10
        2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0, 1, 2,  // 0x20
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2,  // 0x30
        2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,  // 0x40
        2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0,  // 0x50
        2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  // 0x60
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2,  // 0x70
        2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,  // 0x80
        2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,  // 0x90
        2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,  // 0xA0
        2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,  // 0xB0
        2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,  // 0xC0
        2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,  // 0xD0
        2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,  // 0xE0
        2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,  // 0xF0
    ]

    /// Where the host ends, if it is canonical as it stands and no port follows, or a port of digits.
    private static func endOfPlainName(_ authority: Span<UInt8>) -> Int? {
        let count = authority.count
        var index = 0
        var previous: UInt8 = 1
        while index < count {
            let kind = kinds[Int(authority[index])]
            if kind &+ previous > 1 { break }
            previous = kind
            index &+= 1
        }
        guard previous == 0 else { return nil }
        if index == count { return index }
        let digits = count &- index &- 1
        guard authority[index] == 0x3A, digits >= 1, digits <= 5, authority[index &+ 1] != 0x30 else { return nil }
        let port = ByteScan.decimal(ByteScan.word(authority, at: index &+ 1), count: digits)
        guard let port, port <= 65_535 else { return nil }
        return index
    }
}
