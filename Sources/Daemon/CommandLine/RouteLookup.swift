import Config
import Containers
import HTTP
import Routing

/// What a listener's router makes of a request.
struct RouteLookup: ~Copyable {
    let match: RouteMatch
    private let router: Router
    private let host: Buffer
    private let path: Buffer
    private let values: FixedArray<ByteRange>

    init(
        _ config: GatewayConfig, _ request: borrowing ExplainedRequest, _ listener: ListenerConfig
    ) throws(ExplainedRequest.Failure) {
        var rules = CanonicalPath.Rules()
        rules.rejectsEncodedSlash = listener.pathRules.encodedSlash == .reject
        rules.mergesSlashes = listener.pathRules.mergeSlashes
        var path = Buffer(capacity: max(64, request.bytes.count))
        var host = Buffer(capacity: max(64, request.bytes.count))
        try request.appendPath(rules: rules, to: &path)
        try request.appendHost(to: &host)
        let router = Router(config.routes, listener: listener.name)
        var values = FixedArray<ByteRange>(capacity: Router.parametersLimit)
        let method = Array(request.bytes[request.head.methodRange.range])
        let query = Array(request.head.query.map { request.bytes[$0.range] } ?? [])
        var match = RouteMatch.notFound
        // As the gateway does it: a preflight belongs to the route of the method that it asks for, if that has `cors`.
        if let asked = Self.preflightMethod(request) {
            match = router.match(
                host: host.span, path: path.span, method: Method.recognise(asked.span), methodBytes: asked.span,
                query: query.span, head: request.head, bytes: request.bytes.span, parameters: &values)
        }
        if !Self.answersPreflights(match, config) {
            match = router.match(
                host: host.span, path: path.span, method: request.head.method, methodBytes: method.span,
                query: query.span, head: request.head, bytes: request.bytes.span, parameters: &values)
        }
        self.match = match
        self.router = router
        self.host = host
        self.path = path
        self.values = values
    }

    private static func preflightMethod(_ request: borrowing ExplainedRequest) -> [UInt8]? {
        guard request.head.method == .options else { return nil }
        var method: [UInt8]?
        var hasOrigin = false
        for index in 0..<request.head.fields.count {
            let line = request.head.fields[index]
            if line.known == .origin { hasOrigin = true }
            if line.known == .accessControlRequestMethod, method == nil {
                method = Array(request.bytes[line.value.range])
            }
        }
        return hasOrigin ? method : nil
    }

    private static func answersPreflights(_ match: RouteMatch, _ config: GatewayConfig) -> Bool {
        guard case .route(let number) = match else { return false }
        return config.middleware.contains { middleware in
            guard case .cors = middleware.kind else { return false }
            return config.routes[number].middleware.contains(middleware.name)
        }
    }

    var hostText: String { String(decoding: Self.copy(host.span), as: UTF8.self) }
    var pathText: String { String(decoding: Self.copy(path.span), as: UTF8.self) }
    var allowedMethods: [String] { router.allowedMethods(host: host.span, path: path.span) }

    /// Number of the route that serves the request.
    var route: Int? {
        if case .route(let number) = match { return number }
        return nil
    }

    /// Parameters of the path with their values.
    func parameters(of route: Int) -> [(name: String, value: String)] {
        let names = router.parameterNames(of: route).map { String(decoding: $0, as: UTF8.self) }
        let bytes = Self.copy(path.span)
        return zip(names, 0..<values.count).map { name, index in
            (name, String(decoding: bytes[values[index].range], as: UTF8.self))
        }
    }

    private static func copy(_ span: Span<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        for index in span.indices { bytes.append(span[index]) }
        return bytes
    }
}
