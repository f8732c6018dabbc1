import HTTP
import YAML

/// A route, or a group of routes, as the file has it.
struct RouteDraft: ConfigSection {
    var name: Located<String>?
    var listeners: [Located<String>] = []
    var host: [RouteConfig.HostPattern] = []
    var path: Located<RouteConfig.Path>?
    var methods: [String] = []
    var headers: [RouteConfig.NamedCondition] = []
    var query: [RouteConfig.NamedCondition] = []
    var priority: Int?
    var middleware: [MiddlewareUse] = []
    var skip: [Located<String>] = []
    var rewrite: RouteConfig.Rewrite?
    var stripPrefix: String?
    var addPrefix: String?
    var timeouts = RouteConfig.TimeoutOverrides()
    var accessLog = RouteConfig.AccessLogPolicy.inherit
    var websocket = RouteConfig.WebSocketPolicy()
    var trailers: [String] = []
    var upstream: UpstreamUse?
    var redirect: RedirectDraft?
    var respond: RespondDraft?
    var routes: [RouteDraft]?

    /// Not keys.
    var reading = SectionReading(place: Place(location: Location(file: "", line: 0, column: 0)))
    var parameters: [Located<String>] = []

    static let title = "route"
    static let sentence =
        "Which requests, what is done to them, and where they go: exactly one of `upstream`, `redirect`, `respond` — or "
        + "`routes`, which makes it a group whose members inherit host, path prefix, conditions and middleware."

    static let keys: [ConfigKey<RouteDraft>] = matchKeys + policyKeys + actionKeys

    private static let matchKeys: [ConfigKey<RouteDraft>] = [
        ConfigKey(
            "name", \.name, .located(.routeName), otherwise: "methods, host, path and conditions",
            "Name in logs and metrics, and identity over reloads; unique."),
        ConfigKey(
            "listeners", \.listeners, .oneOrMore(.located(.name("a listener"))), default: [],
            "Listeners whose requests the route takes; when empty, all."),
        ConfigKey(
            "host", \.host, .oneOrMore(.hostPattern), default: [],
            "`api.example.com`, `\"*.example.com\"`, or a list; when empty, any host."),
        ConfigKey(
            "path", \.path, .routePath, otherwise: "`/*`",
            "`/users/{id}` takes one segment, `{id:[0-9]+}` constrains it, `/files/{rest...}` and `/files/*` take the rest."
        ),
        ConfigKey(
            "methods", \.methods, .oneOrMore(.method), default: [],
            "When empty, any method. GET takes HEAD too."),
        ConfigKey(
            "headers", \.headers, .conditions(.lowerCaseFieldName), default: [],
            "Headers that the request must have: a value, `{ present: true }` or `{ regex: \"^2\" }`."),
        ConfigKey(
            "query", \.query, .conditions(.text("a query parameter")), default: [],
            "Query parameters that the request must have, likewise."),
        ConfigKey(
            "priority", \.priority, .integer(-1_000...1_000), otherwise: "0",
            "Decides between routes of equal rank; the higher wins."),
    ]

    private static let policyKeys: [ConfigKey<RouteDraft>] = [
        ConfigKey(
            "middleware", \.middleware, .oneOrMore(.middlewareUse), default: [],
            "Names, or maps of one kind, in the order in which they run; those of `defaults` and of groups run first."),
        ConfigKey(
            "skip", \.skip, .oneOrMore(.located(.name("a middleware"))), default: [],
            "Middleware of `defaults` or of a group that does not run here."),
        ConfigKey(
            "rewrite", \.rewrite, .rewrite, otherwise: "the path goes on as it is",
            "The path that the service sees; the query is not touched."),
        ConfigKey(
            "strip_prefix", \.stripPrefix, .plainPath, otherwise: "none", "Short for `rewrite: { strip_prefix: }`."),
        ConfigKey("add_prefix", \.addPrefix, .plainPath, otherwise: "none", "Short for `rewrite: { add_prefix: }`."),
        ConfigKey(
            "timeouts", \.timeouts, .section, default: .init(), "Timeouts of the upstream, for this route alone."),
        ConfigKey(
            "access_log", \.accessLog, .accessLogPolicy, default: .inherit,
            "`off`, or a map with settings of this route's own."),
        ConfigKey("websocket", \.websocket, .section, default: .init(), "Limits of WebSockets."),
        ConfigKey(
            "trailers", \.trailers, .oneOrMore(.removableFieldName), default: [],
            "Request trailers that are passed on."),
    ]

    private static let actionKeys: [ConfigKey<RouteDraft>] = [
        ConfigKey("upstream", \.upstream, .upstreamUse, "Name of an upstream, a URL, or a list of URLs."),
        ConfigKey("redirect", \.redirect, .redirect, "Answers with a redirect."),
        ConfigKey("respond", \.respond, .respond, "Answers by itself."),
        ConfigKey("routes", \.routes, .list(of: .route), "Members of a group."),
    ]

    /// Whether the keys that say which requests are meant were read without an error.
    var isMatchSound: Bool {
        !reading.hasUnknownKey && Self.matchKeys.allSatisfy { $0.name == "name" || !reading.faulty.contains($0.name) }
    }

    private static let groupKeys: Set<String> = [
        "listeners", "host", "path", "methods", "headers", "query", "priority", "middleware", "skip", "timeouts",
        "access_log", "routes",
    ]

    mutating func check(_ reading: SectionReading, _ decoder: ConfigDecoder) {
        self.reading = reading
        if reading.entries["routes"] != nil {
            for (key, entry) in reading.entries where !Self.groupKeys.contains(key) {
                decoder.report(
                    at: entry.key, "`\(key)` cannot stand in a group of routes", help: "give it to the members")
            }
            return
        }
        checkAction(reading, decoder)
        checkRewrite(reading, decoder)
    }

    private func checkAction(_ reading: SectionReading, _ decoder: ConfigDecoder) {
        let given = ["upstream", "redirect", "respond"].filter { reading.entries[$0] != nil }
        if given.isEmpty {
            decoder.report(
                at: Place(location: reading.place.location), "the route does not say what to do",
                help: "add `upstream`, `redirect` or `respond`")
        }
        if given.count > 1, let place = reading.key(given[1]) {
            let first = reading.key(given[0])?.location
            decoder.report(
                at: place, "`\(given[0])` and `\(given[1])` exclude each other",
                related: first.map { .init(location: $0, note: "`\(given[0])` is here") })
        }
        guard given.first != "upstream", !given.isEmpty else { return }
        for key in ["rewrite", "strip_prefix", "add_prefix", "timeouts", "websocket", "trailers"] {
            if let place = reading.key(key) {
                decoder.report(at: place, "`\(key)` has no effect without `upstream`")
            }
        }
    }

    private mutating func checkRewrite(_ reading: SectionReading, _ decoder: ConfigDecoder) {
        let given = ["rewrite", "strip_prefix", "add_prefix"].filter { reading.entries[$0] != nil }
        if given.count > 1, let place = reading.key(given[1]) {
            decoder.report(
                at: place, "`\(given[0])` and `\(given[1])` exclude each other",
                help: "`rewrite: { path: ... }` can do both at once")
        }
        if let stripPrefix { rewrite = .stripPrefix(stripPrefix) }
        if let addPrefix { rewrite = .addPrefix(addPrefix) }
    }
}

/// A middleware where it is used: a name, or a map of its own.
enum MiddlewareUse: Sendable {
    case name(Located<String>)
    case inline(MiddlewareDraft)

    var place: Place {
        switch self {
        case .name(let name): name.place
        case .inline(let draft): draft.place
        }
    }
}

/// An upstream where it is used.
enum UpstreamUse: Sendable {
    case name(Located<String>)
    case endpoints([EndpointDraft], Place)
}

extension ConfigType where Value == RouteDraft {
    static var route: ConfigType<RouteDraft> {
        ConfigType<RouteDraft>(.section(RouteDraft.info)) { node, decoder in
            let (draft, parameters) = decoder.collectingParameters { () -> RouteDraft? in
                var draft = RouteDraft()
                return decoder.section(node, into: &draft) ? draft : nil
            }
            guard var draft else { return nil }
            draft.parameters = parameters
            return draft
        }
    }
}

extension ConfigType where Value == String {
    static var routeName: ConfigType<String> {
        text("a name") { text throws(TextFailure) in
            guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C }), text.utf8.count <= 256
            else {
                throw TextFailure(
                    "`\(text)` is no name of a route", help: "names have no blanks and quotes, at most 256 bytes")
            }
        }
    }

    /// A path without parameters.
    static var plainPath: ConfigType<String> {
        text("a path such as /api") { text throws(TextFailure) in
            guard text.hasPrefix("/") else { throw TextFailure("a path starts with `/`", help: "write /\(text)") }
            guard !text.contains("{"), !text.contains("*") else {
                throw TextFailure("a prefix has no parameters", help: "use `rewrite: { path: ... }`")
            }
            do throws(PathText.Failure) {
                _ = try PathText.parse(text)
            } catch {
                throw TextFailure(error.message, help: error.help)
            }
        }
    }
}

extension ConfigType where Value == Located<RouteConfig.Path> {
    static var routePath: ConfigType<Located<RouteConfig.Path>> {
        let kind = "a path such as /users/{id}"
        return ConfigType<Located<RouteConfig.Path>>(.text(kind), show: { $0.value.source }) { node, decoder in
            guard node.text != nil, !node.isNull else {
                decoder.reportShape(node, expected: kind)
                return nil
            }
            guard let text = decoder.text(node) else { return nil }
            do throws(PathText.Failure) {
                var path = try PathText.parse(text.text)
                path.source = text.written
                return Located(path, at: Place(node))
            } catch {
                if text.isExpanded {
                    decoder.report(at: node, "\(text.shown): expected \(kind)")
                } else {
                    let place = Place(node, offset: error.offset, width: error.width)
                    decoder.report(at: place, error.message, help: error.help)
                }
                return nil
            }
        }
    }
}

extension ConfigType where Value == MiddlewareUse {
    static var middlewareUse: ConfigType<MiddlewareUse> {
        let name = ConfigType<String>.name("a middleware")
        let inline = ConfigType<MiddlewareDraft>.middleware
        return ConfigType<MiddlewareUse>(.either([name.shape, inline.shape])) { node, decoder in
            if case .mapping = node.content { return inline.read(node, decoder).map { .inline($0) } }
            return name.read(node, decoder).map {
                .name(Located($0, at: Place(node), shown: ExpandedText.name(node)))
            }
        }
    }
}

extension ConfigType where Value == UpstreamUse {
    static var upstreamUse: ConfigType<UpstreamUse> {
        let name = ConfigType<String>.name("an upstream")
        let endpoint = ConfigType<EndpointDraft>.endpoint
        let url = ConfigType<EndpointDraft>.endpointURL
        let shape = Shape.either([.text("a name of an upstream or a URL"), .list(endpoint.shape)])
        return ConfigType<UpstreamUse>(shape) { node, decoder in
            switch node.content {
            case .sequence(let nodes):
                guard !nodes.isEmpty else {
                    decoder.report(at: node, "the list of endpoints is empty")
                    return nil
                }
                return .endpoints(decoder.all(nodes, endpoint), Place(node))
            case .mapping:
                decoder.reportShape(node, expected: shape.phrase)
                return nil
            case .scalar(let text, _):
                let isURL = text.contains("://") || text.hasPrefix("unix:") || text.contains(":")
                if isURL, !text.hasPrefix("${") || text.contains("://") {
                    return url.read(node, decoder).map { .endpoints([$0], Place(node)) }
                }
                if text.contains("${") {
                    guard let expanded = decoder.text(node) else { return nil }
                    if expanded.text.contains(":") {
                        return url.read(node, decoder).map { .endpoints([$0], Place(node)) }
                    }
                }
                return name.read(node, decoder).map {
                    .name(Located($0, at: Place(node), shown: ExpandedText.name(node)))
                }
            }
        }
    }
}

extension ConfigType where Value == RouteConfig.AccessLogPolicy {
    static var accessLogPolicy: ConfigType<RouteConfig.AccessLogPolicy> {
        let section = ConfigType<AccessLogConfig>.section(from: { $0.accessLog })
        return ConfigType<RouteConfig.AccessLogPolicy>(
            .either([.words(["off"]), section.shape]),
            show: { policy in
                switch policy {
                case .inherit: "the gateway's"
                case .off: "off"
                case .own: nil
                }
            },
            read: { node, decoder in
                if node.text == "off" { return .off }
                return section.read(node, decoder).map { .own($0) }
            })
    }
}
