import Config
import Containers
import HTTP
import RegularExpression
@testable import Routing
import Testing

@Suite struct RouterPropertyTests {
    @Test(arguments: 0..<40)
    func theRouterAgreesWithANaiveMatcher(seed: UInt64) throws {
        var random = RandomSource(seed: seed)
        var outcomes = (routes: 0, notFound: 0, refused: 0)
        for _ in 0..<12 {
            let routes = try RandomRoutes.routes(count: 1 + random.below(30), &random)
            let router = Router(routes, listener: "l")
            for _ in 0..<60 {
                let request = RandomRoutes.request(&random)
                let expected = NaiveMatcher.match(request, routes, listener: "l")
                let found = try request.match(in: router)
                #expect(found.match == expected.match, "\(request) in \(routes.map(\.path.source))")
                #expect(found.parameters == expected.parameters)
                switch found.match {
                case .route: outcomes.routes += 1
                case .notFound: outcomes.notFound += 1
                case .methodNotAllowed: outcomes.refused += 1
                }
            }
        }
        #expect(outcomes.routes > 50 && outcomes.notFound > 10 && outcomes.refused > 1, "\(outcomes)")
    }

    private func steps(_ path: String, _ router: Router) -> Int {
        var search = RouteSearch()
        let bytes = Array(path.utf8)
        let none: [UInt8] = []
        let head = RequestHead()
        let request = RoutedRequest(
            path: bytes.span, method: .get, methodBytes: none.span, query: none.span, bytes: none.span)
        router.find(none.span, request, head, &search)
        return search.steps
    }

    /// Every level offers a literal and a parameter for the same segment, and the ends fail: the tree of ways has 2^12 ends.
    @Test func aHostilePathVisitsEachNodeAtMostOnce() throws {
        var paths = [""]
        for _ in 0..<8 { paths = paths.flatMap { [$0 + "/a", $0 + "/{x}", $0 + "/{y:[a-z]+}"] } }
        let routes = try paths.map { try TestRoutes.route($0, methods: ["POST"]) }
        let router = Router(routes, listener: "l")
        let nodes = router.trie.nodes.count
        for length in [8, 9, 100, 2000] {
            let work = steps(String(repeating: "/a", count: length), router)
            #expect(work <= nodes)
        }
        #expect(steps(String(repeating: "/a", count: 8), router) == nodes, "the bound is met, not missed by far")
        #expect(steps(String(repeating: "/", count: 8000), router) <= nodes)
    }

    /// Literals, parameters and tails that offer several ways each, with paths that repeat their segments.
    @Test func workIsBoundedByTheTrieForRandomRoutes() throws {
        var random = RandomSource(seed: 7)
        for _ in 0..<200 {
            let routes = try RandomRoutes.routes(count: 40, &random)
            let router = Router(routes, listener: "l")
            let path = String(repeating: ["/a", "/b", "/7", "/"][random.below(4)], count: 1 + random.below(500))
            #expect(steps(path, router) <= router.trie.nodes.count)
        }
    }

    @Test func stepsDoNotGrowWithTheNumberOfRoutes() throws {
        func router(_ count: Int) throws -> Router {
            let routes = try (0..<count).map { number in
                try TestRoutes.route(
                    "/service-\(number)/users/{id}/orders", hosts: number % 3 == 0 ? ["h\(number).test"] : [])
            }
            return Router(routes + [try TestRoutes.route("/target/users/{id}/orders")], listener: "l")
        }
        let path = "/target/users/42/orders"
        let few = try steps(path, router(10))
        #expect(few == 5)
        #expect(try steps(path, router(10_000)) == few)
    }
}

/// Routes and requests over few names, so that many routes match one request.
enum RandomRoutes {
    static func routes(count: Int, _ random: inout RandomSource) throws -> [RouteConfig] {
        try (0..<count).map { number in try route(number, &random) }
    }

    private static func route(_ number: Int, _ random: inout RandomSource) throws -> RouteConfig {
        let segments = ["a", "b", "7", "{x}", "{y}", "{n:[0-9]}", "{c:[ab7]}", "{d:.*}"]
        var path = ""
        for _ in 0..<random.below(4) { path += "/" + segments[random.below(segments.count)] }
        switch random.below(6) {
        case 0: path += "/*"
        case 1: path += "/{rest...}"
        case 2: path += "/"
        default: if path.isEmpty { path = "/" }
        }
        let hosts = ["a.t", "b.t", "*.t", "*.a.t", "x.a.t"]
        let methods = ["GET", "HEAD", "POST", "PURGE"]
        func some(_ all: [String], _ random: inout RandomSource) -> [String] {
            random.below(2) == 0 ? [] : Array(Set((0...random.below(2)).map { _ in all[random.below(all.count)] }))
        }
        func condition(_ random: inout RandomSource) throws -> RouteConfig.Condition {
            switch random.below(4) {
            case 0: .equals("1")
            case 1: .equals("2")
            case 2: .present(random.below(2) == 0)
            default: .regex(try TestRoutes.pattern("[12]"))
            }
        }
        return try TestRoutes.route(
            path, hosts: some(hosts, &random), methods: some(methods, &random),
            headers: random.below(4) == 0 ? [("x-v", condition(&random))] : [],
            query: random.below(4) == 0 ? [("q", condition(&random))] : [], priority: random.below(3),
            listeners: random.below(5) == 0 ? ["other"] : [], line: number + 1)
    }

    static func request(_ random: inout RandomSource) -> TestRequest {
        let segments = ["a", "b", "7", "c", "", "77"]
        var request = TestRequest()
        request.path = ""
        for _ in 0..<(1 + random.below(4)) { request.path += "/" + segments[random.below(segments.count)] }
        request.method = ["GET", "GET", "HEAD", "POST", "PURGE", "PUT"][random.below(6)]
        request.host = ["", "a.t", "b.t", "c.t", "x.a.t", "y.a.t", "t", "z.x.a.t", "b.u"][random.below(9)]
        if random.below(2) == 0 { request.headers = [("X-V", ["1", "2", "3"][random.below(3)])] }
        if random.below(2) == 0 { request.query = ["q=1", "q=2", "q", "q=1&q=2", "r=1"][random.below(5)] }
        return request
    }
}

/// The words of the documentation, one route after the other: slow, and without anything that the router uses.
enum NaiveMatcher {
    static func match(
        _ request: TestRequest, _ routes: [RouteConfig], listener: String
    ) -> (match: RouteMatch, parameters: [String]) {
        var best: (number: Int, score: [Int], parameters: [String])?
        var isRefused = false
        for (number, route) in routes.enumerated() {
            guard route.listeners.isEmpty || route.listeners.contains(listener),
                let hostRank = hostRank(request.host, route.hosts),
                let parameters = parameters(request.path, route.path), conditionsHold(request, route)
            else { continue }
            let methods = route.methods + (route.methods.contains("GET") ? ["HEAD"] : [])
            guard methods.isEmpty || methods.contains(request.method) else {
                isRefused = true
                continue
            }
            let kinds = (0..<5).map { index in index < route.path.segments.count ? kind(route.path.segments[index]) : 3
            }
            // The least score wins, compared from its front.
            let score =
                [-hostRank] + kinds + [
                    route.methods.isEmpty ? 1 : 0, -(route.headers.count + route.query.count), -route.priority, number,
                ]
            if let current = best, current.score.lexicographicallyPrecedes(score) { continue }
            best = (number, score, parameters)
        }
        if let best { return (.route(best.number), best.parameters) }
        return (isRefused ? .methodNotAllowed : .notFound, [])
    }

    private static func kind(_ segment: RouteConfig.PathSegment) -> Int {
        switch segment {
        case .literal: 0
        case .constrained: 1
        case .parameter: 2
        case .tail: 4
        }
    }

    /// The length of the longest pattern that matches, an exact one longest; nil when none does.
    private static func hostRank(_ host: String, _ patterns: [RouteConfig.HostPattern]) -> Int? {
        if patterns.isEmpty { return 0 }
        return patterns.compactMap { pattern -> Int? in
            switch pattern {
            case .exact(let name): name == host ? 1000 : nil
            case .wildcard(let suffix):
                host.hasSuffix("." + suffix) && host.count > suffix.count + 1 ? suffix.count : nil
            }
        }.max()
    }

    private static func parameters(_ path: String, _ pattern: RouteConfig.Path) -> [String]? {
        var pieces = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map(String.init)
        let whole = pieces
        let hasTrailingSlash = pieces.last == ""
        if hasTrailingSlash { pieces.removeLast() }
        var values: [String] = []
        for (index, segment) in pattern.segments.enumerated() {
            if case .tail(let name) = segment {
                guard index <= pieces.count else { return nil }
                if name != nil { values.append(whole.dropFirst(index).joined(separator: "/")) }
                return values
            }
            guard index < pieces.count else { return nil }
            let piece = pieces[index]
            switch segment {
            case .literal(let text): if text != piece { return nil }
            case .parameter:
                if piece.isEmpty { return nil }
                values.append(piece)
            case .constrained(_, let expression):
                let bytes = Array(piece.utf8)
                if piece.isEmpty || !expression.expression.matchesFully(bytes.span) { return nil }
                values.append(piece)
            case .tail: break
            }
        }
        return pieces.count == pattern.segments.count && hasTrailingSlash == pattern.hasTrailingSlash ? values : nil
    }

    private static func conditionsHold(_ request: TestRequest, _ route: RouteConfig) -> Bool {
        let queries = (request.query ?? "").split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
            return (parts[0], parts.count > 1 ? parts[1] : "")
        }
        return route.headers.allSatisfy { named in
            holds(named.condition, request.headers.filter { $0.0.lowercased() == named.name }.map(\.1))
        }
            && route.query.allSatisfy { named in
                holds(named.condition, queries.filter { $0.0 == named.name }.map(\.1))
            }
    }

    /// Requests here never have two lines of one header, so that every value must do.
    private static func holds(_ condition: RouteConfig.Condition, _ values: [String]) -> Bool {
        switch condition {
        case .present(let isPresent): values.isEmpty != isPresent
        case .equals(let text): !values.isEmpty && values.allSatisfy { $0 == text }
        case .regex: !values.isEmpty && values.allSatisfy { $0.contains("1") || $0.contains("2") }
        }
    }
}
