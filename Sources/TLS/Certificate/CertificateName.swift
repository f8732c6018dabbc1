/// A DNS name of a certificate in its one form: lower case, without a final dot.
package enum CertificateName: Sendable, Equatable, Hashable {
    case exact(String)
    /// What follows the `*.`; exactly one label stands before it (RFC 9525 section 6.3).
    case wildcard(String)

    /// Nil: nothing that a client would compare with a host name.
    package init?(_ bytes: Span<UInt8>) {
        var start = 0
        var end = bytes.count
        if end > 1, bytes[end - 1] == 0x2E { end -= 1 }
        let isWildcard = end > 2 && bytes[0] == 0x2A && bytes[1] == 0x2E
        if isWildcard { start = 2 }
        guard end > start, end - start <= 253, let name = Self.canonical(bytes, start..<end) else { return nil }
        self = isWildcard ? .wildcard(name) : .exact(name)
    }

    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        self.init(bytes.span)
    }

    /// Whether a host name, in lower case and without a final dot, is meant.
    package func matches(_ host: String) -> Bool {
        switch self {
        case .exact(let name): return host == name
        case .wildcard(let suffix):
            guard let dot = host.utf8.firstIndex(of: 0x2E), dot != host.utf8.startIndex else { return false }
            return host.utf8[host.utf8.index(after: dot)...].elementsEqual(suffix.utf8)
        }
    }

    /// `api.example.com`, `*.example.com`.
    package var text: String {
        switch self {
        case .exact(let name): name
        case .wildcard(let suffix): "*." + suffix
        }
    }

    private static func canonical(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String? {
        var name: [UInt8] = []
        name.reserveCapacity(range.count)
        var label = 0
        for index in range {
            let byte = bytes[index]
            switch byte {
            case 0x2E:
                guard label > 0 else { return nil }
                label = 0
                name.append(byte)
                continue
            case 0x30...0x39, 0x61...0x7A, 0x2D, 0x5F: name.append(byte)
            case 0x41...0x5A: name.append(byte | 0x20)
            default: return nil
            }
            label += 1
            guard label <= 63 else { return nil }
        }
        return label > 0 ? String(decoding: name, as: UTF8.self) : nil
    }
}
