import Net
import YAML

/// A listener as the file has it.
struct ListenerDraft: ConfigSection {
    var config = ListenerConfig(location: Location(file: "", line: 0, column: 0))
    /// Becomes `config.bind`.
    var bind: [Located<ListenerConfig.Bind>] = []
    /// Becomes `config.protocols`.
    var protocols: [ListenerConfig.HTTPProtocol]?
    /// Becomes `config.tls`.
    var tls: ListenerTLSDraft?

    static let title = "listener"
    static let sentence = "Addresses that connections are accepted on."
    static let keys: [ConfigKey<ListenerDraft>] = [
        ConfigKey(
            "bind", \.bind, .oneOrMore(.bind), default: [], isRequired: true,
            "Where to listen: `\"0.0.0.0:8080\"`, `\"[::]:8080\"`, `unix:/run/x.sock`, `systemd:NAME`, or a list of them."
        ),
        ConfigKey("timeouts", \.config.timeouts, .section, default: .init(), "How long clients may take."),
        ConfigKey("limits", \.config.limits, .section, default: .init(), "How much clients may bring."),
        ConfigKey(
            "path_rules", \.config.pathRules, .section, default: .init(),
            "How paths are brought to one form before matching."),
        ConfigKey(
            "proxy_protocol", \.config.proxyProtocol, .proxyProtocol, default: nil,
            "Peers that send a PROXY protocol header (v1 or v2) first."),
        ConfigKey(
            "protocols", \.protocols, .oneOrMore(.httpProtocol),
            otherwise: "`[h2, http/1.1]` with `tls`, `[http/1.1]` without",
            "HTTP versions that are spoken: `h2` in TLS, where the client chooses (ALPN); `h2c` is HTTP/2 without TLS, for clients "
                + "that know beforehand, as those of gRPC."),
        ConfigKey("http2", \.config.http2, .section, default: .init(), "How much clients of HTTP/2 may do."),
        ConfigKey(
            "tls", \.tls, .section,
            "TLS on this listener; without it, connections are not encrypted."),
        ConfigKey(
            "redirect_to_https", \.config.redirectToHTTPS, .redirectToHTTPS, default: nil,
            "Whether every request is answered with a redirect to https on the same host, or the port there: 301 to GET and "
                + "HEAD, 308 to others, which keeps method and content. Routes do not see them."),
    ]

    mutating func check(_ reading: SectionReading, _ decoder: ConfigDecoder) {
        config.tls = tls?.config
        if let place = reading.key("redirect_to_https"), config.redirectToHTTPS != nil, reading.entries["tls"] != nil {
            decoder.report(
                at: place, "a listener with TLS has nothing to redirect to https",
                help: "give it to the listener of plain HTTP")
        }
        config.protocols = protocols ?? (config.tls == nil ? [.http1] : [.http2, .http1])
        checkProtocols(reading, decoder)
        if config.protocols.isEmpty, !reading.faulty.contains("protocols"), let place = reading.key("protocols") {
            decoder.report(at: place, "the listener speaks no protocol", help: "protocols: [http/1.1]")
        }
        guard reading.isBlank("bind"), let place = reading.key("bind") else { return }
        decoder.report(at: place, "the listener has no address", help: "bind: \"127.0.0.1:8080\"")
    }

    private func checkProtocols(_ reading: SectionReading, _ decoder: ConfigDecoder) {
        guard let place = reading.key("protocols"), !reading.faulty.contains("protocols") else { return }
        let isSecure = reading.entries["tls"] != nil
        if isSecure, config.protocols.contains(.http2Cleartext) {
            decoder.report(
                at: place, "`h2c` is HTTP/2 without TLS, and the listener has TLS", help: "protocols: [h2, http/1.1]")
        }
        if !isSecure, config.protocols.contains(.http2) {
            decoder.report(
                at: place, "`h2` is HTTP/2 in TLS, and the listener has none",
                help: "give the listener `tls`, or speak HTTP/2 without it: protocols: [h2c, http/1.1]")
        }
    }
}

extension ListenerConfig.Timeouts: ConfigSection {
    static let title = "timeouts of a listener"
    static let sentence = "How long clients may take."
    static let keys: [ConfigKey<ListenerConfig.Timeouts>] = [
        ConfigKey(
            "handshake", \.handshake, .duration(.milliseconds(10)...(.seconds(3600))), default: .seconds(10),
            "From connecting to the end of the TLS handshake; then the connection is closed."),
        ConfigKey(
            "head", \.head, .duration(.milliseconds(10)...(.seconds(3600))), default: .seconds(10),
            "From the first byte of a request to the end of its head; then 408."),
        ConfigKey(
            "first_byte", \.firstByte, .duration(.milliseconds(10)...(.seconds(86_400))), default: .seconds(30),
            "From connecting to the first byte of the first request; then the connection is closed."),
        ConfigKey(
            "keep_alive", \.keepAlive, .duration(.milliseconds(10)...(.seconds(86_400))), default: .seconds(60),
            "From the last answer to the first byte of the next request; then the connection is closed."),
        ConfigKey(
            "connection_age", \.connectionAge, .word("off", or: .duration(.seconds(1)...(.seconds(30 * 86_400)))),
            default: .seconds(3_600),
            "An older connection, up to a tenth more or less, ends with its next answer."),
        ConfigKey(
            "body_idle", \.bodyIdle, .duration(.milliseconds(10)...(.seconds(86_400))), default: .seconds(30),
            "Between two reads of a request body."),
        ConfigKey(
            "write_idle", \.writeIdle, .duration(.milliseconds(10)...(.seconds(86_400))), default: .seconds(30),
            "Without progress while an answer is written."),
        ConfigKey(
            "rate_grace", \.rateGrace, .duration(.milliseconds(10)...(.seconds(86_400))), default: .seconds(10),
            "How long a client may stay below `limits.request_rate` and `limits.response_rate`."),
        ConfigKey(
            "linger_idle", \.lingerIdle, .duration(.milliseconds(10)...(.seconds(3_600))), default: .seconds(5),
            "After the last answer of a connection: silence of the client that ends it."),
        ConfigKey(
            "linger", \.linger, .duration(.milliseconds(10)...(.seconds(3_600))), default: .seconds(30),
            "After the last answer of a connection: when it ends in any case."),
    ]
}

extension ListenerConfig.Limits: ConfigSection {
    static let title = "limits of a listener"
    static let sentence = "How much clients may bring."
    static let keys: [ConfigKey<ListenerConfig.Limits>] = [
        ConfigKey(
            "head", \.head, .size(1_024...262_144), default: 32 * 1024,
            "Bytes of a request head; a longer one is answered 431."),
        ConfigKey(
            "fields", \.fields, .integer(1...256), default: 100, "Header lines of a request; more are answered 431."),
        ConfigKey(
            "request_target", \.target, .size(256...65_536), default: 8 * 1024,
            "Bytes of a request target; a longer one is answered 414."),
        ConfigKey(
            "field", \.field, .size(256...65_536), default: 8 * 1024,
            "Bytes of one header line; a longer one is answered 431."),
        ConfigKey(
            "trailers", \.trailers, .size(0...262_144), default: 8 * 1024,
            "Bytes of the trailers of a request; more are answered 431."),
        ConfigKey(
            "trailer_fields", \.trailerFields, .integer(0...1_000), default: 32,
            "Trailers of a request; more are answered 431."),
        ConfigKey(
            "chunk_line", \.chunkLine, .size(0...16_384), default: 256,
            "Bytes of extensions on one chunk-size line; more are answered 400."),
        ConfigKey(
            "chunk_extensions", \.chunkExtensions, .size(0...1_048_576), default: 16 * 1024,
            "Bytes of chunk extensions in one request; more are answered 400."),
        ConfigKey(
            "requests", \.requests, .word("off", or: .integer(1...1_000_000_000)), default: 10_000,
            "Requests of one connection; the last one's answer ends it."),
        ConfigKey(
            "request_rate", \.requestRate, .word("off", or: .size(1...1_000_000)), default: 256,
            "Bytes in a second that a client has to send of a request body, after `timeouts.rate_grace`; then 408."),
        ConfigKey(
            "response_rate", \.responseRate, .word("off", or: .size(1...1_000_000)), default: 256,
            "Bytes in a second that a client has to take of an answer that waits for it, after `timeouts.rate_grace`."),
        ConfigKey(
            "unsent", \.unsent, .word("off", or: .size(16_384...(1 << 30))), default: 128 * 1024,
            "Bytes of answers that the system keeps for a client of TCP that reads slowly, beyond what is on its way."),
        ConfigKey(
            "linger", \.linger, .size(0...(1 << 40)), default: 64 << 20,
            "Bytes of a request that are thrown away after its answer, before the connection is cut."),
        ConfigKey(
            "connections", \.connections, .word("auto", or: .integer(1...10_000_000)), default: nil,
            "Connections open at once; `auto` takes it from the limit of open files."),
        ConfigKey(
            "connections_per_client", \.connectionsPerClient, .word("off", or: .integer(1...1_000_000)), default: 256,
            "Connections of one client address (IPv6: of one /64) at once; those of `trusted_proxies` are not counted."),
    ]
}

extension ListenerConfig.PathRules: ConfigSection {
    static let title = "path rules"
    static let sentence = "How paths are brought to one form before matching."
    static let keys: [ConfigKey<ListenerConfig.PathRules>] = [
        ConfigKey(
            "encoded_slash", \.encodedSlash, .word, default: .keep,
            "What happens to `%2f` in a path: kept as part of its segment, or refused with 400."),
        ConfigKey("merge_slashes", \.mergeSlashes, .boolean, default: false, "Whether `//` becomes `/`."),
    ]
}

/// `proxy_protocol: { from: [...] }`.
struct ProxyProtocolDraft: ConfigSection {
    var from: [CIDRBlock]?

    static let title = "proxy protocol"
    static let sentence = "The PROXY protocol (v1 and v2), from trusted peers only."
    static let keys: [ConfigKey<ProxyProtocolDraft>] = [
        ConfigKey(
            "from", \.from, .oneOrMore(.addressBlock), isRequired: true,
            "Addresses of the peers that send the header; connections from others are taken as they are.")
    ]
}

/// `{ unix: /run/x.sock, mode: "0660", owner: www-data }`.
struct UnixBindDraft: ConfigSection {
    var unix: String?
    var mode: UInt32?
    var owner: String?

    static let title = "unix socket"
    static let sentence = "A Unix socket with its permissions."
    static let keys: [ConfigKey<UnixBindDraft>] = [
        ConfigKey("unix", \.unix, .filePath("the absolute path of a socket"), isRequired: true, "Path of the socket."),
        ConfigKey(
            "mode", \.mode, .fileMode, otherwise: "what the process's umask leaves",
            "Permissions, in octal: `\"0660\"`."),
        ConfigKey("owner", \.owner, .name("a user"), otherwise: "the gateway's user", "User that owns the socket."),
    ]
}

extension ConfigType where Value == ListenerConfig.HTTPProtocol {
    static var httpProtocol: ConfigType<ListenerConfig.HTTPProtocol> {
        let words = ListenerConfig.HTTPProtocol.allCases.map(\.rawValue)
        return ConfigType<ListenerConfig.HTTPProtocol>(.words(words), show: { $0.rawValue }) {
            text throws(TextFailure) in
            if let value = ListenerConfig.HTTPProtocol(rawValue: text) { return value }
            if ["h3", "http/3"].contains(text.lowercased()) {
                throw TextFailure(
                    "`\(text)` is not in this version", help: "protocols: [\(words.joined(separator: ", "))]")
            }
            throw TextFailure.word(text, among: words)
        }
    }
}

extension ConfigType where Value == UInt16? {
    static var redirectToHTTPS: ConfigType<UInt16?> {
        let port = ConfigType<Int>.integer(1...65_535)
        return ConfigType<UInt16?>(
            .either([.boolean, port.shape]),
            show: { value in value.map { $0 == 443 ? "true" : "\($0)" } ?? "false" },
            parse: { text throws(TextFailure) in
                switch text {
                case "true", "yes", "on": return 443
                case "false", "no", "off": return nil
                default:
                    guard let port = UInt16(text), port > 0 else { throw TextFailure() }
                    return port
                }
            })
    }
}

extension ConfigType where Value == UInt32 {
    static var fileMode: ConfigType<UInt32> {
        let shape = Shape.text("permissions in octal such as \"0660\"")
        return ConfigType<UInt32>(shape, show: { "\"0\(String($0, radix: 8))\"" }) { text throws(TextFailure) in
            guard text.utf8.count == 3 || (text.utf8.count == 4 && text.hasPrefix("0")),
                text.utf8.allSatisfy({ (0x30...0x37).contains($0) }), let mode = UInt32(text, radix: 8)
            else { throw TextFailure() }
            return mode
        }
    }
}

extension ConfigType where Value == [CIDRBlock]? {
    static var proxyProtocol: ConfigType<[CIDRBlock]?> {
        let section = ConfigType<ProxyProtocolDraft>.section
        return ConfigType<[CIDRBlock]?>(
            .either([.words(["off"]), section.shape]), show: { $0 == nil ? "off" : nil },
            read: { node, decoder in
                if node.text == "off" { return .some(nil) }
                guard let draft = section.read(node, decoder) else { return nil }
                return .some(draft.from ?? [])
            })
    }
}

extension ConfigType where Value == Located<ListenerConfig.Bind> {
    static var bind: ConfigType<Located<ListenerConfig.Bind>> {
        let section = ConfigType<UnixBindDraft>.section
        let text = ConfigType<ListenerConfig.Bind>(
            .text("an address such as 127.0.0.1:8080"), show: BindText.write
        ) { text throws(TextFailure) in try BindText.parse(text) }
        return ConfigType<Located<ListenerConfig.Bind>>(
            .either([text.shape, section.shape]), show: { BindText.write($0.value) },
            read: { node, decoder in
                guard case .mapping = node.content else {
                    return text.read(node, decoder).map { Located($0, at: Place(node)) }
                }
                guard let draft = section.read(node, decoder), let path = draft.unix else { return nil }
                guard path.utf8.count <= SocketAddress.unixPathLimit else {
                    decoder.report(at: node, "a socket's path has at most \(SocketAddress.unixPathLimit) bytes")
                    return nil
                }
                return Located(.unix(path: path, mode: draft.mode, owner: draft.owner), at: Place(node))
            })
    }
}
