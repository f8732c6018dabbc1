import YAML

/// A middleware as the file has it: a kind with its settings.
struct MiddlewareDraft: Sendable {
    enum Kind: Sendable {
        case ready(MiddlewareConfig)
        /// Its upstream is still to be found.
        case forwardAuth(ForwardAuthDraft)
    }

    var kind: Kind
    /// Name of the kind.
    var kindName: String
    /// `{path.NAME}` in its settings.
    var parameters: [Located<String>]
    var place: Place
    /// Read without an error.
    var isSound = true
}

/// `{ rate_limit: { ... } }`: exactly one kind.
struct MiddlewareChoice: ConfigSection {
    var headers: HeadersConfig?
    var basicAuth: BasicAuthDraft?
    var apiKey: APIKeyDraft?
    var rateLimit: RateLimitDraft?
    var ipFilter: IPFilterConfig?
    var bodyLimit: BodyLimitConfig?
    var requestID: RequestIDConfig?
    var cors: CORSConfig?
    var forwardAuth: ForwardAuthDraft?
    var hsts: HSTSConfig?

    static let title = "middleware"
    static let sentence = "One kind with its settings. One name is one state, wherever it is used."
    static let keys: [ConfigKey<MiddlewareChoice>] = [
        ConfigKey("headers", \.headers, .section, HeadersConfig.sentence),
        ConfigKey("basic_auth", \.basicAuth, .section, BasicAuthDraft.sentence),
        ConfigKey("api_key", \.apiKey, .section, APIKeyDraft.sentence),
        ConfigKey("rate_limit", \.rateLimit, .rateLimit, RateLimitDraft.sentence),
        ConfigKey("ip_filter", \.ipFilter, .section, IPFilterConfig.sentence),
        ConfigKey("body_limit", \.bodyLimit, .bodyLimit, BodyLimitConfig.sentence),
        ConfigKey("request_id", \.requestID, .section, RequestIDConfig.sentence),
        ConfigKey("cors", \.cors, .section, CORSConfig.sentence),
        ConfigKey("forward_auth", \.forwardAuth, .section, ForwardAuthDraft.sentence),
        ConfigKey("hsts", \.hsts, .section, HSTSConfig.sentence),
        ConfigKey(later: "jwt", "JSON Web Tokens."),
    ]

    mutating func check(_ reading: SectionReading, _ decoder: ConfigDecoder) {
        let names = reading.entries.keys.sorted()
        if names.count > 1 {
            decoder.report(
                at: reading.place,
                "one middleware has one kind, and this one has \(names.count): \(names.joined(separator: ", "))",
                help: "make a middleware of each")
        }
    }

    var kind: MiddlewareDraft.Kind? {
        if let headers { return .ready(.headers(headers)) }
        if let basicAuth { return .ready(.basicAuth(basicAuth.config)) }
        if let apiKey { return .ready(.apiKey(apiKey.config)) }
        if let rateLimit { return .ready(.rateLimit(rateLimit.config)) }
        if let ipFilter { return .ready(.ipFilter(ipFilter)) }
        if let bodyLimit { return .ready(.bodyLimit(bodyLimit)) }
        if let requestID { return .ready(.requestID(requestID)) }
        if let cors { return .ready(.cors(cors)) }
        if let hsts { return .ready(.hsts(hsts)) }
        return forwardAuth.map { .forwardAuth($0) }
    }
}

extension ConfigType where Value == MiddlewareDraft {
    static var middleware: ConfigType<MiddlewareDraft> {
        ConfigType<MiddlewareDraft>(.section(MiddlewareChoice.info)) { node, decoder in
            guard case .mapping(let entries) = node.content, let first = entries.first?.key.text else {
                decoder.reportShape(node, expected: "a middleware such as { rate_limit: 100/s }")
                return nil
            }
            if entries.count == 1, let custom = decoder.customKinds.first(where: { $0.name == first }) {
                return custom.read(entries[0].value, decoder).map { settings in
                    MiddlewareDraft(
                        kind: .ready(.custom(kind: custom.name, settings: settings)), kindName: custom.name,
                        parameters: [], place: Place(node))
                }
            }
            let errors = decoder.errorCount
            var choice = MiddlewareChoice()
            let (_, parameters) = decoder.collectingParameters { decoder.section(node, into: &choice) }
            return choice.kind.map { kind in
                MiddlewareDraft(
                    kind: kind, kindName: first, parameters: parameters, place: Place(node),
                    isSound: decoder.errorCount == errors)
            }
        }
    }
}
