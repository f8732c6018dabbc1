import Config
import Containers
import HTTP
import HTTP1
import RegularExpression
import Routing

/// Routes from short text, in the syntax of the configuration.
enum TestRoutes {
    static func path(_ text: String) throws -> RouteConfig.Path {
        var pieces = text.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map(String.init)
        let hasTrailingSlash = pieces.last == ""
        if hasTrailingSlash { pieces.removeLast() }
        let segments = try pieces.map { piece -> RouteConfig.PathSegment in
            if piece == "*" { return .tail(nil) }
            guard piece.hasPrefix("{") else { return .literal(piece) }
            let inner = String(piece.dropFirst().dropLast())
            if inner.hasSuffix("...") { return .tail(String(inner.dropLast(3))) }
            guard let colon = inner.firstIndex(of: ":") else { return .parameter(inner) }
            return .constrained(String(inner[..<colon]), try pattern(String(inner[inner.index(after: colon)...])))
        }
        return RouteConfig.Path(segments: segments, hasTrailingSlash: hasTrailingSlash, source: text)
    }

    static func pattern(_ source: String) throws -> RouteConfig.Pattern {
        RouteConfig.Pattern(source: source, expression: try RegularExpression(source))
    }

    static func host(_ text: String) -> RouteConfig.HostPattern {
        text.hasPrefix("*.") ? .wildcard(String(text.dropFirst(2))) : .exact(text)
    }

    static func route(
        _ path: String, hosts: [String] = [], methods: [String] = [], headers: [(String, RouteConfig.Condition)] = [],
        query: [(String, RouteConfig.Condition)] = [], priority: Int = 0, listeners: [String] = [], line: Int = 1
    ) throws -> RouteConfig {
        var route = RouteConfig(
            name: "r\(line)", path: try self.path(path), action: .upstream("u"),
            location: Location(file: "martlet.yaml", line: line, column: 3))
        route.hosts = hosts.map(host)
        route.methods = methods
        route.headers = headers.map { RouteConfig.NamedCondition(name: $0.0, condition: $0.1) }
        route.query = query.map { RouteConfig.NamedCondition(name: $0.0, condition: $0.1) }
        route.priority = priority
        route.listeners = listeners
        return route
    }
}

/// A request as the engine shows it to the router.
struct TestRequest {
    var method = "GET"
    var host = ""
    var path = "/"
    var query: String?
    var headers: [(String, String)] = []

    var text: String {
        let target = path + (query.map { "?" + $0 } ?? "")
        let lines = headers.map { "\($0.0): \($0.1)\r\n" }.joined()
        return "\(method) \(target) HTTP/1.1\r\nHost: h\r\n\(lines)\r\n"
    }

    /// The match and the parameters' text. `other` stands in for the path of the request's target.
    func match(in router: Router, path other: [UInt8]? = nil) throws -> (match: RouteMatch, parameters: [String]) {
        let bytes = Array(text.utf8)
        let host = Array(host.utf8)
        var head = RequestHead()
        _ = try RequestParser().parse(bytes.span, into: &head)
        var ranges = FixedArray<ByteRange>(capacity: Router.parametersLimit)
        let path = other ?? Array(bytes[head.path.range])
        let query = head.query?.range ?? 0..<0
        let found = router.match(
            host: host.span, path: path.span, method: head.method,
            methodBytes: bytes.span.extracting(head.methodRange.range), query: bytes.span.extracting(query), head: head,
            bytes: bytes.span, parameters: &ranges)
        var parameters: [String] = []
        for index in 0..<ranges.count {
            parameters.append(String(decoding: path[ranges[index].range], as: UTF8.self))
        }
        return (found, parameters)
    }
}
