import Config
import HTTP
import Net
import Routing

/// What a configuration does with one request, each part with the place in the file that says so.
struct Explanation {
    private var table: TextTable
    /// Whether a route serves the request.
    private(set) var isServed = false

    private init(request: String) {
        table = TextTable(["request", request])
    }

    var text: String { table.text }

    /// - Parameter listener: name of the listener that the request comes to; nil: the one with the URL's port, or the first.
    static func make(
        _ config: GatewayConfig, _ request: borrowing ExplainedRequest, listener name: String?
    ) throws(ExplainedRequest.Failure) -> Explanation {
        guard let listener = listener(config, name, port: request.port) else {
            throw .usage("there is no listener \(name ?? "")")
        }
        let found = try RouteLookup(config, request, listener)
        let method = text(Array(request.bytes[request.head.methodRange.range]))
        let isAsterisk = request.head.form == .asterisk
        let target = isAsterisk ? "* (host \(found.hostText))" : found.hostText + found.pathText
        var explanation = Explanation(request: "\(method) \(target)")
        explanation.add("listener", listener.name, listener.location)
        switch found.match {
        case .notFound:
            explanation.add("answer", "404 no_route: no route matches")
            explanation.addOthers(config, request, besides: listener)
        case .methodNotAllowed:
            let allowed = found.allowedMethods.joined(separator: ", ")
            explanation.add("answer", "405 method_not_allowed: \(allowed) would match")
            explanation.addOthers(config, request, besides: listener)
        case .route(let number):
            explanation.isServed = true
            explanation.add(config.routes[number], found.parameters(of: number))
            explanation.addSteps(of: config.routes[number], config)
        }
        return explanation
    }

    private static func listener(_ config: GatewayConfig, _ name: String?, port: UInt16?) -> ListenerConfig? {
        if let name { return config.listeners.first { $0.name == name } }
        let byPort = config.listeners.first { listener in
            listener.bind.contains { bind in
                guard let port, case .address(.ip(_, port: let own)) = bind else { return false }
                return own == port
            }
        }
        return byPort ?? config.listeners.first
    }

    // MARK: Lines

    private mutating func add(_ label: String, _ what: String, _ location: Location? = nil) {
        table.add([label, what, location.map(ConfigText.place) ?? ""])
    }

    private mutating func add(_ route: RouteConfig, _ parameters: [(name: String, value: String)]) {
        add("route", route.name, route.location)
        add("  methods", ConfigText.methods(route))
        add("  host", ConfigText.hosts(route))
        add("  path", route.path.source)
        let conditions = ConfigText.conditions(route)
        if !conditions.isEmpty { add("  if", conditions) }
        for parameter in parameters { add("  path.\(parameter.name)", parameter.value) }
    }

    private mutating func addSteps(of route: RouteConfig, _ config: GatewayConfig) {
        for name in route.middleware {
            guard let middleware = config.middleware.first(where: { $0.name == name }) else { continue }
            add("middleware", "\(name) (\(ConfigText.kind(middleware.kind)))", middleware.location)
        }
        if let rewrite = route.rewrite { add("rewrite", ConfigText.rewrite(rewrite)) }
        guard case .upstream(let name) = route.action else {
            add("answer", ConfigText.action(route.action), route.location)
            return
        }
        guard let upstream = config.upstreams.first(where: { $0.name == name }) else { return }
        add("upstream", name, upstream.location)
        for endpoint in upstream.endpoints { add("  endpoint", ConfigText.endpoint(endpoint)) }
        if upstream.endpoints.count > 1 { add("  balance", ConfigText.balance(upstream.balance)) }
    }

    /// Listeners that would route the request.
    private mutating func addOthers(
        _ config: GatewayConfig, _ request: borrowing ExplainedRequest, besides listener: ListenerConfig
    ) {
        for other in config.listeners where other.name != listener.name {
            // What another listener refuses before routing is no help.
            guard let number = try? RouteLookup(config, request, other).route else { continue }
            let route = config.routes[number]
            add(
                "hint", "route \(route.name) matches on listener \(other.name): --listener \(other.name)",
                route.location)
        }
    }

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
