/// Where a stream socket listens or connects to.
@usableFromInline
package enum SocketAddress: Sendable, Equatable, Hashable {
    case ip(IPAddress, port: UInt16)
    /// An absolute path in the file system.
    case unix(path: String)

    package enum ParseError: Error, Equatable, Sendable {
        case missingPort
        /// Not a decimal number from 0 to 65535.
        case invalidPort
        /// Neither an IPv4 nor a bracketed IPv6 address; a host name is none.
        case notAnAddress
        /// `::1:80`: without brackets nobody can tell the port from the address.
        case missingBrackets
        /// The path behind `unix:` is not absolute or has a NUL byte.
        case invalidPath
        /// The path has more than `unixPathLimit` bytes.
        case pathTooLong
    }

    /// Bytes of a Unix socket's path: `sun_path` without its final NUL.
    package static let unixPathLimit = 107

    /// Reads `127.0.0.1:80`, `[::1]:80`, `:80` (every IPv4 address of the machine) or `unix:/path`.
    package init(parsing text: String) throws(ParseError) {
        let bytes = Array(text.utf8)
        if text.hasPrefix("unix:") {
            let path = Array(bytes.dropFirst(5))
            guard path.first == 0x2F, !path.contains(0) else { throw .invalidPath }
            guard path.count <= Self.unixPathLimit else { throw .pathTooLong }
            self = .unix(path: String(decoding: path, as: UTF8.self))
            return
        }
        guard let colon = bytes.lastIndex(of: 0x3A) else { throw .missingPort }
        let address: IPAddress
        if colon == 0 {
            address = .v4(0)
        } else if bytes[0] == 0x5B {
            if bytes[bytes.count - 1] == 0x5D { throw .missingPort }
            guard bytes[colon - 1] == 0x5D, colon > 2,
                let words = IPv6Text.parse(bytes.span, in: 1..<(colon - 1))
            else { throw .notAnAddress }
            address = .v6(words.high, words.low)
        } else {
            if bytes[..<colon].contains(0x3A) { throw .missingBrackets }
            guard let octets = IPv4Text.parse(bytes.span, in: 0..<colon) else { throw .notAnAddress }
            address = .v4(octets)
        }
        guard let port = DecimalText.parse(bytes.span, in: (colon + 1)..<bytes.count, limit: 65_535) else {
            throw .invalidPort
        }
        self = .ip(address, port: UInt16(truncatingIfNeeded: port))
    }

    /// The IP address; nil for a Unix socket.
    package var ipAddress: IPAddress? {
        guard case .ip(let address, _) = self else { return nil }
        return address
    }

    /// Hands the text form, which `init(parsing:)` reads, to `sink` byte by byte.
    package func write(into sink: (UInt8) -> Void) {
        switch self {
        case .ip(let address, let port):
            switch address {
            case .v4: address.write(into: sink)
            case .v6:
                sink(0x5B)
                address.write(into: sink)
                sink(0x5D)
            }
            sink(0x3A)
            DecimalText.write(UInt32(port), into: sink)
        case .unix(let path):
            for byte in "unix:".utf8 { sink(byte) }
            for byte in path.utf8 { sink(byte) }
        }
    }
}

extension SocketAddress: CustomStringConvertible {
    @usableFromInline package var description: String {
        var bytes: [UInt8] = []
        write { bytes.append($0) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
