import HTTP
import Net
import YAML

/// An upstream as the file has it.
struct UpstreamDraft: ConfigSection {
    var config = UpstreamConfig(name: "", location: Location(file: "", line: 0, column: 0))
    /// Becomes `config.endpoints`.
    var endpoints: [EndpointDraft] = []
    var tls: UpstreamTLSDraft?
    /// `{path.NAME}` in its keys.
    var parameters: [Located<String>] = []

    static let title = "upstream"
    static let sentence = "A service: its endpoints, and how they are used. A URL or a list of URLs is enough."
    static let keys: [ConfigKey<UpstreamDraft>] = [
        ConfigKey(
            "endpoints", \.endpoints, .oneOrMore(.endpoint), default: [], isRequired: true,
            "URLs of equivalent services: `http://10.0.0.11:9000`, `http://users.internal:9000` (resolved by TTL), "
                + "`https://users.internal`, `unix:/run/users.sock`."),
        ConfigKey(
            "host", \.config.host, .hostPolicy, default: .pass,
            "The Host that is sent: the client's (`pass`), the endpoint's (`endpoint`), or a name."),
        ConfigKey(
            "protocol", \.config.protocolVersion, .word, default: .http1,
            "The version of HTTP: `h2` for `https://` endpoints, `h2c` for others (as services of gRPC without TLS), `auto` is what "
                + "an `https://` endpoint prefers."),
        ConfigKey("balance", \.config.balance, .balance, default: .roundRobin, "How an endpoint is chosen."),
        ConfigKey(
            "timeouts", \.config.timeouts, .section(from: { $0.upstreamTimeouts }), default: .init(),
            "How long the service may take."),
        ConfigKey("pool", \.config.pool, .section, default: .init(), "Connections to the service."),
        ConfigKey("limits", \.config.limits, .section, default: .init(), "How much the service may answer."),
        ConfigKey("retries", \.config.retries, .section, default: .init(), "What is tried again."),
        ConfigKey("tls", \.tls, .section, "TLS with `https://` endpoints."),
        ConfigKey(later: "health", "Active health checks."),
    ]

    mutating func check(_ reading: SectionReading, _ decoder: ConfigDecoder) {
        checkTwins(decoder)
        if let place = reading.key("tls"), !endpoints.isEmpty, !reading.faulty.contains("endpoints"),
            !endpoints.contains(where: \.endpoint.isTLS)
        {
            decoder.report(
                at: place, "no endpoint of this upstream is https",
                help: "write https:// instead of http://, or take `tls` out")
        }
        checkProtocol(reading, decoder)
        guard reading.isBlank("endpoints"), let place = reading.key("endpoints") else { return }
        decoder.report(at: place, "the upstream has no endpoint", help: "endpoints: [http://127.0.0.1:9000]")
    }

    private func checkProtocol(_ reading: SectionReading, _ decoder: ConfigDecoder) {
        guard let place = reading.key("protocol"), !reading.faulty.contains("endpoints") else { return }
        switch config.protocolVersion {
        case .http2 where endpoints.contains { !$0.endpoint.isTLS }:
            decoder.report(
                at: place, "`h2` is HTTP/2 in TLS, and not every endpoint is https",
                help: "write https:// instead of http://, or `protocol: h2c`")
        case .http2Cleartext where endpoints.contains { $0.endpoint.isTLS }:
            decoder.report(
                at: place, "`h2c` is HTTP/2 without TLS, and not every endpoint is http", help: "write `protocol: h2`")
        case .http1, .http2, .http2Cleartext, .auto: break
        }
    }

    func checkTwins(_ decoder: ConfigDecoder) {
        var known: [String: Place] = [:]
        for endpoint in endpoints {
            if let first = known[endpoint.canonical] {
                decoder.report(
                    at: endpoint.place, "the endpoint `\(endpoint.endpoint.url)` stands twice in this upstream",
                    help: "give it a `weight` to send it more",
                    related: .init(location: first.location, note: "first here"))
            } else {
                known[endpoint.canonical] = endpoint.place
            }
        }
    }
}

/// One endpoint as the file has it.
struct EndpointDraft: Sendable {
    var endpoint: UpstreamConfig.Endpoint
    /// One spelling for one service.
    var canonical: String
    var place: Place
}

/// `{ url: ..., weight: 2 }`.
struct EndpointSection: ConfigSection {
    var url: EndpointDraft?
    var weight = 1
    var backup = false

    static let title = "endpoint"
    static let sentence = "One address of an upstream. A URL is enough."
    static let keys: [ConfigKey<EndpointSection>] = [
        ConfigKey(
            "url", \.url, .endpointURL, isRequired: true, "`http://HOST:PORT`, `https://HOST:PORT` or `unix:/path`."),
        ConfigKey(
            "weight", \.weight, .integer(1...1_000), default: 1, "Share of the requests, against the other endpoints."),
        ConfigKey("backup", \.backup, .boolean, default: false, "Used only while no other endpoint is usable."),
    ]
}

extension ConfigType where Value == EndpointDraft {
    static var endpointURL: ConfigType<EndpointDraft> {
        let text = ConfigType<EndpointURL>(
            .text("a URL such as http://127.0.0.1:9000"), show: { $0.canonical }
        ) { text throws(TextFailure) in try EndpointURL.parse(text) }
        return ConfigType<EndpointDraft>(text.shape, show: { $0.endpoint.url }) { node, decoder in
            text.read(node, decoder).map { url in
                EndpointDraft(
                    endpoint: .init(
                        url: node.text ?? "", target: url.target, authority: url.authority, isTLS: url.isTLS),
                    canonical: url.canonical, place: Place(node))
            }
        }
    }

    /// A URL, or a map with one.
    static var endpoint: ConfigType<EndpointDraft> {
        let section = ConfigType<EndpointSection>.section
        let url = endpointURL
        return ConfigType<EndpointDraft>(.either([url.shape, section.shape]), show: url.show) { node, decoder in
            guard case .mapping = node.content else { return url.read(node, decoder) }
            guard let found = section.read(node, decoder), var draft = found.url else { return nil }
            draft.endpoint.weight = found.weight
            draft.endpoint.isBackup = found.backup
            return draft
        }
    }
}

extension ConfigType where Value == UpstreamDraft {
    /// A URL, a list of endpoints, or the full map.
    static var upstream: ConfigType<UpstreamDraft> {
        let endpoints = ConfigType<[EndpointDraft]>.oneOrMore(.endpoint)
        return ConfigType<UpstreamDraft>(.either([endpoints.shape, .section(UpstreamDraft.info)])) { node, decoder in
            let (draft, parameters) = decoder.collectingParameters { () -> UpstreamDraft? in
                var draft = UpstreamDraft()
                draft.config.timeouts = decoder.upstreamTimeouts
                if case .mapping = node.content { return decoder.section(node, into: &draft) ? draft : nil }
                guard let found = endpoints.read(node, decoder) else { return nil }
                draft.endpoints = found
                draft.checkTwins(decoder)
                return draft
            }
            guard var draft else { return nil }
            draft.parameters = parameters
            return draft
        }
    }
}

extension ConfigType where Value == UpstreamConfig.HostPolicy {
    static var hostPolicy: ConfigType<UpstreamConfig.HostPolicy> {
        let shape = Shape.either([.words(["pass", "endpoint"]), .text("a host name")])
        return ConfigType<UpstreamConfig.HostPolicy>(
            shape,
            show: { policy in
                switch policy {
                case .pass: "pass"
                case .endpoint: "endpoint"
                case .name(let name): name
                }
            },
            parse: { text throws(TextFailure) in
                switch text {
                case "pass": return .pass
                case "endpoint": return .endpoint
                default:
                    let bytes = Array(text.utf8)
                    guard Authority(bytes.span) != nil else {
                        throw TextFailure(
                            "`\(text)` is no host", help: "write pass, endpoint, or a name such as api.internal")
                    }
                    return .name(text)
                }
            })
    }
}
