import Net
import YAML

/// The whole file, before names are resolved and groups flattened.
struct GatewayDraft: ConfigSection {
    /// Single values; lists below become the rest of it.
    var config = GatewayConfig()
    var include: [Located<String>] = []
    var listen: [Located<ListenerConfig.Bind>] = []
    var listeners: [MapItem<ListenerDraft?>] = []
    var metrics: MetricsDraft?
    var admin: AdminDraft?
    var upstreams: [MapItem<UpstreamDraft?>] = []
    var middleware: [MapItem<MiddlewareDraft?>] = []
    var defaults = DefaultsDraft()
    var routes: [RouteDraft] = []

    static let title = "the file"
    static let sentence =
        "`listen` and `routes` are enough. Keys that start with `x-` are ignored: a place for anchors."
    static let keys: [ConfigKey<GatewayDraft>] = [
        ConfigKey(
            "workers", \.config.workers, .workers, default: .auto,
            "Threads that serve; `auto` takes it from the CPUs that the process may use. A change needs a restart."),
        ConfigKey(
            "trusted_proxies", \.config.trustedProxies, .oneOrMore(.trustedPeer), default: [],
            "Peers whose X-Forwarded-* and X-Request-Id are believed, `unix` for those of Unix sockets; when empty, nobody's."
        ),
        ConfigKey(
            "drain_timeout", \.config.drainTimeout, .duration(.zero...(.seconds(86_400))), default: .seconds(30),
            "How long a stop waits for exchanges to end."),
        ConfigKey(
            "drain_delay", \.config.drainDelay, .duration(.zero...(.seconds(86_400))), default: .zero,
            "How long a stop goes on accepting, so that load balancers notice."),
        ConfigKey(
            "upgrade_drain_timeout", \.config.upgradeDrainTimeout, .duration(.zero...(.seconds(30 * 86_400))),
            default: .seconds(12 * 3_600), "How long the old process of an upgrade keeps its tunnels."),
        ConfigKey(
            "hang_timeout", \.config.hangTimeout, .word("off", or: .duration((.seconds(2))...(.seconds(3_600)))),
            default: .seconds(5),
            "A gateway process whose worker does not turn for so long is ended and started anew; `off` leaves it."),
        ConfigKey(
            "watch_certificates", \.config.watchCertificates,
            .word("off", or: .duration((.milliseconds(100))...(.seconds(86_400)))), default: .seconds(5),
            "How often files with certificates, keys and OCSP responses are looked at: what changed is in force without a "
                + "reload; `off` waits for one."),
        ConfigKey(
            "limits", \.config.limits, .section, default: .init(), "What all listeners and workers may use together."),
        ConfigKey("log", \.config.log, .section, default: .init(), "The gateway's own messages."),
        ConfigKey(
            "access_log", \.config.accessLog, .word("off", or: .section), default: AccessLogConfig(),
            "One line for each exchange; `off` for none."),
        ConfigKey(
            "metrics", \.metrics, .word("off", or: .section), default: nil,
            "Where figures for monitoring are read; `off` for nowhere."),
        ConfigKey(
            "admin", \.admin, .word("off", or: .section), default: nil,
            "Where `martlet status` and `martlet reload` reach the gateway; `off` for nowhere."),
        ConfigKey(
            "include", adding: \.include, .oneOrMore(.located(.text("a path or a pattern such as routes.d/*.yaml"))),
            "More files of the same shape, from the folder of this one; `*` and `?` match in names."),
        ConfigKey(
            "listen", adding: \.listen, .oneOrMore(.bind), "Short for a listener named `default` with these addresses."),
        ConfigKey(
            "listeners", adding: \.listeners, .definitions(.name("a listener"), of: .section), "Listeners by name."),
        ConfigKey(
            "upstreams", adding: \.upstreams, .definitions(.name("an upstream"), of: .upstream), "Services by name."),
        ConfigKey(
            "middleware", adding: \.middleware, .definitions(.name("a middleware"), of: .middleware),
            "Middleware by name; routes and `defaults` say where it runs."),
        ConfigKey("defaults", \.defaults, .section, default: .init(), "What holds for every route."),
        ConfigKey("routes", adding: \.routes, .list(of: .route), "Routes; their order does not matter."),
    ]

    /// Read before all others, in all files, since others start from them.
    static let early: Set<String> = ["access_log", "defaults"]
    /// Their values give names that other keys use.
    static let definitions: Set<String> = ["listeners", "upstreams", "middleware"]
}

extension GatewayLimits: ConfigSection {
    static let title = "limits"
    static let sentence =
        "What all listeners and workers may use together. When it runs short, idle connections are closed and requests "
        + "answered 503, those of clients that hold most first."
    static let keys: [ConfigKey<GatewayLimits>] = [
        ConfigKey(
            "connections", \.connections, .word("auto", or: .integer(1...10_000_000)), default: nil,
            "Client connections open at once; `auto` takes it from the limit of open files. From 90 % on, the connections "
                + "that are idle longest are closed for new ones."),
        ConfigKey(
            "memory", \.memory, .word("auto", or: .size((16 << 20)...(1 << 50))), default: nil,
            "Bytes in buffers for requests and answers; `auto` is half of what the control group or the machine has. From half "
                + "of it on, new requests of clients that hold more than their share are answered 503 "
                + "`memory_limit_reached`; from three quarters on, of all that hold more than a little."),
    ]
}

/// `metrics: { bind: ... }`.
struct MetricsDraft: ConfigSection {
    var bind: [Located<ListenerConfig.Bind>] = []

    static let title = "metrics"
    static let sentence =
        "A listener of its own with `/metrics` (Prometheus text, or OpenMetrics where it is asked for), `/livez`, and `/readyz`, "
        + "which is 503 from the first sign of a stop on. It asks for no credentials: bind it where only monitoring reaches it."
    static let keys: [ConfigKey<MetricsDraft>] = [
        ConfigKey(
            "bind", \.bind, .oneOrMore(.bind), default: [], isRequired: true,
            "Where to listen, as for listeners.")
    ]
}

/// `admin: { bind: ... }`.
struct AdminDraft: ConfigSection {
    var bind: [Located<ListenerConfig.Bind>] = []

    static let title = "admin"
    static let sentence =
        "The admin API, on a Unix socket: whoever may open the socket may reload the configuration and read how the gateway does. "
        + "Without a mode only the gateway's own user may (`0600`)."
    static let keys: [ConfigKey<AdminDraft>] = [
        ConfigKey(
            "bind", \.bind, .oneOrMore(.bind), default: [], isRequired: true,
            "The socket: `unix:/run/martlet/admin.sock`, or a map with `unix`, `mode` and `owner`.")
    ]
}

/// `defaults: { middleware: [...], timeouts: {...} }`.
struct DefaultsDraft: ConfigSection {
    var middleware: [MiddlewareUse] = []
    var timeouts = RouteConfig.TimeoutOverrides()

    static let title = "defaults"
    static let sentence = "What holds for every route and every upstream that does not say otherwise."
    static let keys: [ConfigKey<DefaultsDraft>] = [
        ConfigKey(
            "middleware", \.middleware, .oneOrMore(.middlewareUse), default: [],
            "Runs on every route, before its own; a route opts out with `skip`."),
        ConfigKey(
            "timeouts", \.timeouts, .section, default: .init(), "Timeouts of every upstream that does not set its own."),
    ]
}

extension ConfigType where Value == GatewayConfig.WorkerCount {
    static var workers: ConfigType<GatewayConfig.WorkerCount> {
        let orAuto = ConfigType<Int?>.word("auto", or: .integer(1...1_024))
        return ConfigType<GatewayConfig.WorkerCount>(
            orAuto.shape,
            show: { workers in
                if case .count(let value) = workers { return "\(value)" }
                return "auto"
            },
            read: { node, decoder in
                orAuto.read(node, decoder).map { count in count.map { .count($0) } ?? .auto }
            })
    }
}

extension ConfigType where Value == GatewayConfig.TrustedPeer {
    static var trustedPeer: ConfigType<GatewayConfig.TrustedPeer> {
        let block = ConfigType<CIDRBlock>.addressBlock
        return ConfigType<GatewayConfig.TrustedPeer>(
            .either([block.shape, .words(["unix"])]),
            show: { peer in
                if case .block(let value) = peer { return block.show(value) }
                return "unix"
            },
            read: { node, decoder in
                if node.text == "unix" { return .unix }
                return block.read(node, decoder).map { .block($0) }
            })
    }
}

extension ConfigDecoder {
    /// Reads one file's keys into the draft, early ones or the others. `given` spans all files. False: it is no map.
    func gateway(_ root: YAMLNode, into draft: inout GatewayDraft, early: Bool, given: inout [String: Place]) -> Bool {
        guard case .mapping(let entries) = root.content else {
            if early { reportShape(root, expected: "a map with keys such as `listen` and `routes`") }
            return false
        }
        for entry in entries {
            guard let name = entry.key.text, !name.hasPrefix("x-") else { continue }
            guard let key = GatewayDraft.keys.first(where: { $0.name == name }) else {
                if early {
                    let names = GatewayDraft.keys.map(\.name)
                    reportUnknown(entry.key, name, keys: GatewayDraft.keys.map(\.info), subject: GatewayDraft.title)
                    if let meant = Suggestion.nearest(to: name, among: names) { unreadNames.insert(meant) }
                }
                continue
            }
            if GatewayDraft.definitions.contains(name), !entry.value.isNull {
                if case .mapping = entry.value.content {} else { unreadNames.insert(name) }
            }
            guard GatewayDraft.early.contains(name) == early else { continue }
            if key.info.isLater {
                report(at: entry.key, "`\(name)` is not in this version")
                continue
            }
            if let first = given[name], !key.accumulates {
                report(
                    at: entry.key, "the key `\(name)` is in another file too",
                    related: .init(location: first.location, note: "first here"))
                continue
            }
            given[name] = Place(entry.key)
            key.read(&draft, entry.value, self)
        }
        return true
    }
}
