import Config
import HTTP
import Net

/// A URL taken apart: whom to connect to, and what to ask for.
struct ClientURL {
    let endpoint: UpstreamConfig.Endpoint
    /// Path and query, never empty.
    let target: [UInt8]

    /// Reads `http://host[:port][/path][?query][#fragment]` or `unix:/socket[:/path][?query]` and adds query parameters.
    ///
    /// Only bytes that a request target may have (RFC 3986 section 3.3) are accepted in path and query: nothing is guessed.
    init(_ text: String, query: [(String, String)]) throws(ClientError) {
        let bytes = Array(text.utf8)
        let end = Self.endOfOrigin(bytes)
        do throws(UpstreamConfig.Endpoint.InvalidURL) {
            var endpoint = try UpstreamConfig.Endpoint(parsing: String(decoding: bytes[..<end.origin], as: UTF8.self))
            // RFC 6761 section 6.3: not a question for a name server.
            if case .name("localhost", let port) = endpoint.target {
                endpoint.target = .address(.ip(.v4(0x7F00_0001), port: port))
            }
            self.endpoint = endpoint
        } catch {
            throw .invalidURL(error.message)
        }
        let rest = bytes[end.target...].prefix { $0 != 0x23 }
        var target = rest.first == 0x2F ? Array(rest) : [0x2F] + rest
        var separator: UInt8 = target.contains(0x3F) ? 0x26 : 0x3F
        for (name, value) in query {
            target.append(separator)
            Self.appendEncoded(name, to: &target)
            target.append(0x3D)
            Self.appendEncoded(value, to: &target)
            separator = 0x26
        }
        guard Self.isTarget(target) else { throw .invalidURL("`\(text)` has a byte that must be percent-encoded") }
        self.target = target
    }

    /// Where the origin ends and where path and query begin.
    private static func endOfOrigin(_ bytes: [UInt8]) -> (origin: Int, target: Int) {
        if bytes.starts(with: "unix:".utf8) {
            var at = 5
            while at < bytes.count {
                if bytes[at] == 0x3F || bytes[at] == 0x23 { return (at, at) }
                if bytes[at] == 0x3A, at + 1 < bytes.count, bytes[at + 1] == 0x2F { return (at, at + 1) }
                at += 1
            }
            return (at, at)
        }
        var at = 0
        while at + 2 < bytes.count, !(bytes[at] == 0x3A && bytes[at + 1] == 0x2F && bytes[at + 2] == 0x2F) { at += 1 }
        at = min(at + 3, bytes.count)
        while at < bytes.count, bytes[at] != 0x2F, bytes[at] != 0x3F, bytes[at] != 0x23 { at += 1 }
        return (at, at)
    }

    /// Whether every byte may stand in a request target, and `%` only before two hexadecimal digits.
    static func isTarget(_ bytes: [UInt8]) -> Bool {
        for index in bytes.indices {
            guard ByteClass.isTarget(bytes[index]) else { return false }
            if bytes[index] == 0x25 {
                guard index + 2 < bytes.count, ByteClass.isHexDigit(bytes[index + 1]),
                    ByteClass.isHexDigit(bytes[index + 2])
                else { return false }
            }
        }
        return true
    }

    /// Appends UTF-8 with everything but unreserved bytes percent-encoded.
    static func appendEncoded(_ text: String, to bytes: inout [UInt8]) {
        for byte in text.utf8 {
            if ByteClass.isUnreserved(byte) {
                bytes.append(byte)
            } else {
                bytes.append(0x25)
                for digit in [byte >> 4, byte & 15] { bytes.append(digit < 10 ? 0x30 + digit : 0x37 + digit) }
            }
        }
    }
}
