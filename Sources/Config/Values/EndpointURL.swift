import Net

/// Addresses of services: `http://host:port`, `https://host:port` and `unix:/path`.
struct EndpointURL: Sendable, Equatable {
    var target: UpstreamConfig.Endpoint.Target
    /// What `host: endpoint` sends.
    var authority: String
    /// One spelling for one service: two URLs with the same are the same pool.
    var canonical: String
    var isTLS = false

    static func parse(_ text: String) throws(TextFailure) -> EndpointURL {
        if text.hasPrefix("unix:") { return try unix(text) }
        guard let colon = text.firstRange(of: "://") else { throw missingScheme(text) }
        let scheme = text[..<colon.lowerBound].lowercased()
        var rest = String(text[colon.upperBound...])
        switch scheme {
        case "http", "https": break
        case "h2":
            throw TextFailure(
                "`\(text)`: HTTP/2 is a `protocol`", help: "write https://\(rest) and `protocol: h2`")
        case "h2c":
            throw TextFailure(
                "`\(text)`: HTTP/2 is a `protocol`", help: "write http://\(rest) and `protocol: h2c`")
        case "ws": throw TextFailure("`\(text)`: WebSockets take the same endpoint", help: "write http://\(rest)")
        case "wss": throw TextFailure("`\(text)`: WebSockets take the same endpoint", help: "write https://\(rest)")
        default:
            throw TextFailure(
                "unknown scheme `\(scheme)` in `\(text)`",
                help: "write http://HOST:PORT, https://HOST:PORT or unix:/path")
        }
        if rest.hasSuffix("/") { rest.removeLast() }
        if let end = rest.firstIndex(where: { "/?#".contains($0) }) {
            throw TextFailure(
                "`\(text)` has a path, and an endpoint has none",
                help: "write \(scheme)://\(rest[..<end]); paths are changed with `rewrite` or `add_prefix` of a route")
        }
        return try named(rest, scheme: scheme, whole: text)
    }

    private static func named(_ rest: String, scheme: String, whole: String) throws(TextFailure) -> EndpointURL {
        if rest.contains("@") {
            throw TextFailure(
                "a URL with a user name is not accepted", help: "set an Authorization header with `headers`",
                isSecret: true)
        }
        let bytes = Array(rest.utf8)
        guard let authority = Authority(bytes.span) else {
            var help = rest.hasPrefix(":") ? "write \(scheme)://127.0.0.1\(rest)" : nil
            if !rest.utf8.allSatisfy({ $0 < 0x80 }) { help = "write the name in its xn--… form" }
            throw TextFailure("`\(whole)` has no valid host and port", help: help)
        }
        let isTLS = scheme == "https"
        let standard: UInt16 = isTLS ? 443 : 80
        let port = authority.port ?? standard
        guard port != 0 else { throw TextFailure("`\(whole)` has port 0") }
        switch authority.kind {
        case .address(let address):
            let host = if case .v6 = address { "[\(address)]" } else { "\(address)" }
            return EndpointURL(
                target: .address(.ip(address, port: port)), authority: port == standard ? host : "\(host):\(port)",
                canonical: "\(scheme)://\(host):\(port)", isTLS: isTLS)
        case .name:
            let name = try HostText.name(String(decoding: bytes[authority.host], as: UTF8.self), whole: whole)
            if let last = name.split(separator: ".").last, last.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
                throw TextFailure("`\(whole)` looks like an address, but is none")
            }
            return EndpointURL(
                target: .name(name, port: port), authority: port == standard ? name : "\(name):\(port)",
                canonical: "\(scheme)://\(name):\(port)", isTLS: isTLS)
        }
    }

    private static func unix(_ text: String) throws(TextFailure) -> EndpointURL {
        let path = try BindText.unixPath(text)
        return EndpointURL(target: .unix(path: path), authority: "localhost", canonical: "unix:\(path)")
    }

    private static func missingScheme(_ text: String) -> TextFailure {
        let isAddress = text.contains(":") || text.contains(".") || text == "localhost"
        return TextFailure(
            "`\(text)` is no URL", help: isAddress ? "write http://\(text)" : "write http://HOST:PORT or unix:/path")
    }
}

/// Addresses of listeners.
enum BindText {
    static func parse(_ text: String) throws(TextFailure) -> ListenerConfig.Bind {
        if text.hasPrefix("systemd:") {
            let name = String(text.dropFirst(8))
            guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x3A && $0 != 0x2F }) else {
                throw TextFailure(
                    "`\(text)` lacks the socket's name", help: "write systemd:NAME with FileDescriptorName= of the unit"
                )
            }
            return .systemd(name)
        }
        if text.hasPrefix("unix:") { return .unix(path: try unixPath(text), mode: nil, owner: nil) }
        if let scheme = text.firstRange(of: "://") {
            throw TextFailure(
                "expected an address such as 127.0.0.1:8080, found `\(text)`",
                help: "write it without `\(text[..<scheme.upperBound])`")
        }
        do throws(SocketAddress.ParseError) {
            return .address(try SocketAddress(parsing: text))
        } catch {
            throw explain(error, text)
        }
    }

    static func write(_ bind: ListenerConfig.Bind) -> String {
        switch bind {
        case .address(let address): "\"\(address)\""
        case .unix(let path, _, _): "unix:\(path)"
        case .systemd(let name): "systemd:\(name)"
        }
    }

    static func unixPath(_ text: String) throws(TextFailure) -> String {
        do throws(SocketAddress.ParseError) {
            guard case .unix(let path) = try SocketAddress(parsing: text) else {
                throw SocketAddress.ParseError.invalidPath
            }
            return path
        } catch {
            throw explain(error, text)
        }
    }

    private static func explain(_ error: SocketAddress.ParseError, _ text: String) -> TextFailure {
        let expected = "expected an address such as 127.0.0.1:8080, found `\(text)`"
        switch error {
        case .missingPort:
            if let port = DecimalNumber.parse(text) {
                return TextFailure(expected, help: "write 127.0.0.1:\(port), or 0.0.0.0:\(port) for every address")
            }
            return TextFailure("`\(text)` lacks the port", help: "write \(text):8080")
        case .invalidPort:
            return TextFailure("`\(text)`: a port is a number from 0 to 65535")
        case .missingBrackets:
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            let host = parts.dropLast().joined(separator: ":")
            return TextFailure("an IPv6 address stands in brackets", help: "write \"[\(host)]:\(parts.last ?? "")\"")
        case .invalidPath:
            return TextFailure("`\(text)`: behind `unix:` stands an absolute path")
        case .pathTooLong:
            return TextFailure("`\(text)`: a socket's path has at most \(SocketAddress.unixPathLimit) bytes")
        case .notAnAddress:
            if let colon = text.lastIndex(of: ":"), text[..<colon] == "localhost" {
                return TextFailure(expected, help: "write 127.0.0.1\(text[colon...])")
            }
            if let colon = text.lastIndex(of: ":"), text[..<colon] == "*" {
                return TextFailure(expected, help: "write 0.0.0.0\(text[colon...])")
            }
            return TextFailure(
                expected, help: "a listener takes an IP address, `unix:/path` or `systemd:NAME`; no host name")
        }
    }
}
