import HTTP
import Net
import YAML

extension ConfigType where Value == String {
    /// A method: an upper-case token.
    static var method: ConfigType<String> {
        text("a method such as GET") { text throws(TextFailure) in
            guard text.utf8.allSatisfy({ ByteClass.isToken($0) && $0 != 0x7C }) else {
                let parts = text.split(whereSeparator: { $0 == "," || $0 == " " || $0 == "|" })
                let help = parts.count > 1 ? "write a list: [\(parts.joined(separator: ", "))]" : nil
                throw TextFailure("`\(text)` is no method", help: help)
            }
            guard text.uppercased() == text else {
                throw TextFailure(
                    "`\(text)` would never match: methods are case-sensitive", help: "write \(text.uppercased())")
            }
        }
    }

    /// A field name as written.
    static var fieldName: ConfigType<String> {
        text("a header name") { text throws(TextFailure) in
            guard text.utf8.allSatisfy(ByteClass.isToken), text.utf8.count <= 256 else {
                throw TextFailure("`\(text)` is no header name", help: Token.nameHelp(text))
            }
        }
    }

    /// A field name that we set ourselves; those that frame messages are the gateway's.
    static var settableFieldName: ConfigType<String> {
        text("a header name") { text throws(TextFailure) in
            guard text.utf8.allSatisfy(ByteClass.isToken), text.utf8.count <= 256 else {
                throw TextFailure("`\(text)` is no header name", help: Token.nameHelp(text))
            }
            let name = text.lowercased()
            if name == "host" {
                throw TextFailure("`\(text)` cannot be set here", help: "use `host:` of the upstream")
            }
            guard !Token.framing.contains(name) else {
                throw TextFailure("`\(text)` cannot be set: it belongs to the connection, which the gateway manages")
            }
        }
    }

    static var lowerCaseFieldName: ConfigType<String> {
        let type = fieldName
        return ConfigType<String>(type.shape, show: type.show) { node, decoder in
            type.read(node, decoder)?.lowercased()
        }
    }

    static var removableFieldName: ConfigType<String> {
        let type = settableFieldName
        return ConfigType<String>(type.shape, show: type.show) { node, decoder in
            type.read(node, decoder)?.lowercased()
        }
    }
}

/// Tokens of RFC 9110 section 5.6.2.
enum Token {
    /// Fields about one connection or one message's framing (RFC 9110 section 7.6.1).
    static let framing: Set<String> = [
        "connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding",
        "upgrade",
    ]

    static func nameHelp(_ text: String) -> String? {
        text.hasSuffix(":") ? "leave the colon out" : nil
    }
}

extension ConfigType where Value == CIDRBlock {
    static var addressBlock: ConfigType<CIDRBlock> {
        ConfigType<CIDRBlock>(
            .text("an address or block such as 10.0.0.0/8"), show: { "\($0)" }
        ) { text throws(TextFailure) in
            do throws(CIDRBlock.ParseError) {
                return try CIDRBlock(parsing: text)
            } catch {
                switch error {
                case .notAnAddress: throw TextFailure()
                case .invalidPrefix(let limit):
                    throw TextFailure("`\(text)`: behind the slash stands a number from 0 to \(limit)")
                case .bitsBeyondPrefix(let network):
                    throw TextFailure("`\(text)` has bits behind its prefix", help: "write \(network)")
                }
            }
        }
    }
}

extension ConfigType where Value == RouteConfig.HostPattern {
    static var hostPattern: ConfigType<RouteConfig.HostPattern> {
        ConfigType<RouteConfig.HostPattern>(.text("a host name, or \"*.\" and a name"), show: HostText.write) {
            text throws(TextFailure) in try HostText.pattern(text)
        }
    }
}

/// Host names of routes and endpoints.
enum HostText {
    static func write(_ pattern: RouteConfig.HostPattern) -> String {
        switch pattern {
        case .exact(let name): name
        case .wildcard(let suffix): "\"*.\(suffix)\""
        }
    }

    static func pattern(_ text: String) throws(TextFailure) -> RouteConfig.HostPattern {
        if text == "*" { throw TextFailure("`*` is no host", help: "leave `host` out: it then matches any host") }
        if text.contains("://") {
            throw TextFailure("`\(text)` is a URL, not a host", help: "write the name alone: api.example.com")
        }
        if text.hasPrefix("*.") { return .wildcard(try name(String(text.dropFirst(2)), whole: text)) }
        if text.contains("*") {
            throw TextFailure("`\(text)`: `*` stands only for the first labels", help: "write \"*.example.com\"")
        }
        let bare = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
        if let address = IPAddress(bare) {
            if case .v6 = address { return .exact("[\(address)]") }
            return .exact("\(address)")
        }
        return .exact(try name(text, whole: text))
    }

    /// Lower case, without the final dot.
    static func name(_ text: String, whole: String) throws(TextFailure) -> String {
        if let colon = text.lastIndex(of: ":"), !text[text.index(after: colon)...].isEmpty,
            text[text.index(after: colon)...].utf8.allSatisfy({ (0x30...0x39).contains($0) })
        {
            throw TextFailure(
                "`\(whole)` has a port, and hosts are matched without", help: "write \(text[..<colon])")
        }
        guard text.utf8.allSatisfy({ $0 < 0x80 }) else {
            throw TextFailure("`\(whole)` has letters beyond ASCII", help: "write the name in its xn--… form")
        }
        var name = text.lowercased()
        if name.hasSuffix(".") { name.removeLast() }
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        let isSound = labels.allSatisfy { label in
            !label.isEmpty && label.utf8.count <= 63
                && label.utf8.allSatisfy {
                    (0x30...0x39).contains($0) || (0x61...0x7A).contains($0) || $0 == 0x2D || $0 == 0x5F
                }
        }
        guard isSound, name.utf8.count <= 253 else { throw TextFailure("`\(whole)` is no host name") }
        return name
    }
}
