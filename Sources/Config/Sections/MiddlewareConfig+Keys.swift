import HTTP
import Net
import YAML

/// `rate_limit`.
struct RateLimitDraft: ConfigSection {
    var config = RateLimitConfig()
    var rate: Rate?
    var burst: Int?

    static let title = "rate_limit"
    static let sentence = "Answers 429 to who asks too often; exact over all workers. `rate_limit: 100/s` is enough."
    static let keys: [ConfigKey<RateLimitDraft>] = [
        ConfigKey("rate", \.rate, .rate, isRequired: true, "Requests in a period: `100/s`, `10/m`, `5000/h`."),
        ConfigKey(
            "burst", \.burst, .integer(1...Rate.countMax), otherwise: "the number of `rate`",
            "Requests that may come at once."),
        ConfigKey(
            "key", \.config.key, .oneOrMore(.variable), default: [.clientIP],
            "What is counted by: one variable or a list; add `route` to split by route."),
        ConfigKey(
            "ipv6_prefix", \.config.ipv6Prefix, .integer(1...128), default: 64,
            "IPv6 clients that share so many bits count as one."),
        ConfigKey(
            "max_keys", \.config.maxKeys, .integer(1...100_000_000), default: 1_000_000,
            "Keys that are remembered at once."),
        ConfigKey(
            "headers", \.config.headers, .boolean, default: true, "Whether RateLimit and RateLimit-Policy are sent."),
    ]

    mutating func check(_ reading: SectionReading, _ decoder: ConfigDecoder) {
        apply()
        if reading.isEmpty("key"), let entry = reading.entries["key"], !entry.value.isNull {
            decoder.report(at: entry.value, "the key is empty", help: "key: client_ip")
        }
    }

    mutating func apply() {
        guard let rate else { return }
        config.count = rate.count
        config.period = rate.period
        config.burst = burst ?? rate.count
    }
}

extension ConfigType where Value == RateLimitDraft {
    /// The map, or the rate alone.
    static var rateLimit: ConfigType<RateLimitDraft> {
        let rate = ConfigType<Rate>.rate
        let section = ConfigType<RateLimitDraft>.section
        return ConfigType<RateLimitDraft>(.either([rate.shape, section.shape])) { node, decoder in
            guard case .scalar = node.content, !node.isNull else { return section.read(node, decoder) }
            guard let value = rate.read(node, decoder) else { return nil }
            var draft = RateLimitDraft()
            draft.rate = value
            draft.apply()
            return draft
        }
    }
}

extension IPFilterConfig: ConfigSection {
    static let title = "ip_filter"
    static let sentence = "Lets clients in, or keeps them out, by address. `deny` wins."
    static let keys: [ConfigKey<IPFilterConfig>] = [
        ConfigKey(
            "allow", \.allow, .oneOrMore(.addressBlock), default: [],
            "Who is let in; when empty, everybody who is not denied."),
        ConfigKey("deny", \.deny, .oneOrMore(.addressBlock), default: [], "Who is kept out."),
    ]

    mutating func check(_ reading: SectionReading, _ decoder: ConfigDecoder) {
        guard reading.isEmpty("allow"), reading.isEmpty("deny"), !reading.hasUnknownKey else { return }
        decoder.report(
            at: Place(location: reading.place.location), "ip_filter needs `allow` or `deny`",
            help: "allow: [10.0.0.0/8]")
    }
}

extension BodyLimitConfig: ConfigSection {
    static let title = "body_limit"
    static let sentence = "Answers 413 to requests with more body than this. `body_limit: 10MiB` is enough."
    static let keys: [ConfigKey<BodyLimitConfig>] = [
        ConfigKey("max", \.maxBytes, .size(0...(1 << 50)), default: 10 * 1024 * 1024, "Bytes of a request body.")
    ]
}

extension ConfigType where Value == BodyLimitConfig {
    static var bodyLimit: ConfigType<BodyLimitConfig> {
        let size = ConfigType<Int>.size(0...(1 << 50))
        let section = ConfigType<BodyLimitConfig>.section
        return ConfigType<BodyLimitConfig>(.either([size.shape, section.shape])) { node, decoder in
            guard case .scalar = node.content, !node.isNull else { return section.read(node, decoder) }
            guard let bytes = size.read(node, decoder) else { return nil }
            var config = BodyLimitConfig()
            config.maxBytes = bytes
            return config
        }
    }
}

extension RequestIDConfig: ConfigSection {
    static let title = "request_id"
    static let sentence =
        "How the id of a request is named and kept. Without it, X-Request-Id from trusted peers is kept."
    static let keys: [ConfigKey<RequestIDConfig>] = [
        ConfigKey("header", \.header, .settableFieldName, default: "X-Request-Id", "Header that carries the id."),
        ConfigKey("trust_clients", \.trustClients, .boolean, default: false, "Whether an id from any client is kept."),
        ConfigKey("respond", \.respond, .boolean, default: true, "Whether the answer carries the id."),
    ]
}

extension CORSConfig: ConfigSection {
    static let title = "cors"
    static let sentence = "Lets pages of other origins call (Fetch standard), and answers their preflights."
    static let keys: [ConfigKey<CORSConfig>] = [
        ConfigKey(
            "origins", \.origins, .oneOrMore(.origin), default: [], isRequired: true,
            "Exact origins such as `https://app.example.com`; `\"*\"` alone for every one."),
        ConfigKey(
            "methods", \.methods, .oneOrMore(.method), default: ["GET", "HEAD", "POST"], "Methods that may be used."),
        ConfigKey(
            "headers", \.headers, .oneOrMore(.lowerCaseFieldName), default: [], "Request headers that may be sent."),
        ConfigKey(
            "expose_headers", \.exposeHeaders, .oneOrMore(.fieldName), default: [],
            "Response headers that pages may read."),
        ConfigKey(
            "credentials", \.credentials, .boolean, default: false, "Whether cookies and credentials may be sent."),
        ConfigKey(
            "max_age", \.maxAge, .duration(.zero...(.seconds(86_400))), default: .seconds(600),
            "How long browsers may remember a preflight's answer."),
    ]

    mutating func check(_ reading: SectionReading, _ decoder: ConfigDecoder) {
        if reading.isBlank("origins"), let place = reading.key("origins") {
            decoder.report(at: place, "no origin is allowed", help: "origins: [https://app.example.com]")
        }
        guard origins.contains("*"), let place = reading.key("origins") else { return }
        if origins.count > 1 { decoder.report(at: place, "`*` stands alone, without further origins") }
        if credentials {
            decoder.report(
                at: place, "`*` cannot be combined with `credentials`: every site could act for the user",
                help: "list the origins")
        }
    }
}

extension ConfigType where Value == String {
    static var origin: ConfigType<String> {
        text("an origin such as https://app.example.com") { text throws(TextFailure) in
            if text == "*" { return }
            guard let range = text.firstRange(of: "://"), ["http", "https"].contains(text[..<range.lowerBound]) else {
                throw TextFailure("`\(text)` is no origin", help: "write https://\(text)")
            }
            let host = text[range.upperBound...]
            if let slash = host.firstIndex(of: "/") {
                throw TextFailure("`\(text)`: an origin has no path", help: "write \(text[..<slash])")
            }
            if host.contains("*") {
                throw TextFailure("`\(text)`: origins are compared exactly", help: "list each origin")
            }
            let bytes = Array(host.utf8)
            guard Authority(bytes.span) != nil, text.lowercased() == text else {
                throw TextFailure(
                    "`\(text)` is no origin", help: "browsers send it in lower case: https://app.example.com")
            }
        }
    }

    /// A path of a request that we send ourselves.
    static var requestPath: ConfigType<String> {
        text("a path such as /auth") { text throws(TextFailure) in
            guard text.hasPrefix("/"), !text.contains("#"), text.utf8.allSatisfy({ ByteClass.isTarget($0) }) else {
                throw TextFailure("`\(text)` is no path of a request", help: "paths start with `/`")
            }
        }
    }
}

/// `forward_auth`.
struct ForwardAuthDraft: ConfigSection {
    var config = ForwardAuthConfig(upstream: "")
    var upstream: UpstreamUse?

    static let title = "forward_auth"
    static let sentence =
        "Asks another service about each request; what it does not allow with 2xx is answered with its answer."
    static let keys: [ConfigKey<ForwardAuthDraft>] = [
        ConfigKey("upstream", \.upstream, .upstreamUse, isRequired: true, "Name of an upstream, or a URL."),
        ConfigKey("path", \.config.path, .requestPath, default: "/", "Path of the sub-request."),
        ConfigKey(
            "timeout", \.config.timeout, .duration(.milliseconds(1)...(.seconds(30))), default: .seconds(5),
            "For the whole sub-request; then 503 `middleware_timeout`. No request waits longer than 30s for a decision."
        ),
        ConfigKey(
            "request_headers", \.config.requestHeaders, .oneOrMore(.lowerCaseFieldName),
            default: ["authorization", "cookie"], "Headers of the client that the sub-request carries."),
        ConfigKey(
            "copy_headers", \.config.copyHeaders, .oneOrMore(.settableFieldName), default: [],
            "Headers of the auth service's answer that the service gets; clients cannot send them themselves."),
    ]
}
