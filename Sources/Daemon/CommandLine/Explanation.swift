import Config
import Containers
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
        var rules = CanonicalPath.Rules()
        rules.rejectsEncodedSlash = listener.pathRules.encodedSlash == .reject
        rules.mergesSlashes = listener.pathRules.mergeSlashes
        var path = Buffer(capacity: max(64, request.bytes.count))
        var host = Buffer(capacity: max(64, request.bytes.count))
        try request.appendPath(rules: rules, to: &path)
        try request.appendHost(to: &host)
        let router = Router(config.routes, listener: listener.name)
        var parameters = FixedArray<ByteRange>(capacity: Router.parametersLimit)
        let method = Array(request.bytes[request.head.methodRange.range])
        let query = Array(request.head.query.map { request.bytes[$0.range] } ?? [])
        let match = router.match(
            host: host.span, path: path.span, method: request.head.method, methodBytes: method.span, query: query.span,
            head: request.head, bytes: request.bytes.span, parameters: &parameters)
        var explanation = Explanation(request: "\(text(method)) \(text(copy(host.span)))\(text(copy(path.span)))")
        explanation.add("listener", listener.name, listener.location)
        switch match {
        case .notFound:
            explanation.add("answer", "404 no_route: no route matches")
        case .methodNotAllowed:
            let allowed = router.allowedMethods(host: host.span, path: path.span).joined(separator: ", ")
            explanation.add("answer", "405 method_not_allowed: \(allowed) would match")
        case .route(let number):
            let names = router.parameterNames(of: number).map(text)
            let values = (0..<parameters.count).map { text(Array(copy(path.span)[parameters[$0].range])) }
            explanation.isServed = true
            explanation.add(config.routes[number], zip(names, values).map { ($0, $1) })
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

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    private static func copy(_ span: Span<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        for index in span.indices { bytes.append(span[index]) }
        return bytes
    }
}
