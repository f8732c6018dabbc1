import Config
import Containers
import Routing
import Testing

@Suite struct RouteCheckTests {
    /// `later: severity earlier` for each problem.
    private func problems(_ routes: [RouteConfig]) -> [String] {
        RouteCheck.problems(in: routes).map { problem in
            "\(problem.location.line): \(problem.severity) \(problem.related?.location.line ?? 0)"
        }
    }

    private func route(
        _ line: Int, _ path: String, hosts: [String] = [], methods: [String] = [],
        headers: [(String, RouteConfig.Condition)] = [],
        query: [(String, RouteConfig.Condition)] = [], priority: Int = 0, listeners: [String] = []
    ) throws -> RouteConfig {
        try TestRoutes.route(
            path, hosts: hosts, methods: methods, headers: headers, query: query, priority: priority,
            listeners: listeners, line: line)
    }

    @Test(
        arguments: [
            ("/a", "/a", true), ("/a", "/a/", false), ("/a", "/b", false), ("/{x}", "/{y}", true),
            ("/{x}/a", "/{y}/a", true),
            ("/{x}/a", "/{y}/b", false), ("/a/*", "/a/{rest...}", true), ("/a/*", "/a", false),
            ("/{x}", "/{y:[0-9]+}", false), ("/{x}", "/a", false),
            ("/{x:[0-9]+}", "/{y:[0-9]+}", true), ("/{x:[0-9]+}", "/{y:[0-9a-f]+}", true),
            ("/{x:[0-9]+}", "/{y:[a-z]+}", false),
            ("/{x:[0-9]{4}}", "/{y:2.*}", nil), ("/", "/", true), ("/*", "/{all...}", true),
            ("/a/{x}/*", "/a/*", false), ("/a//b", "/a//b", true),
        ] as [(String, String, Bool?)])
    func equalPathsCollide(first: String, second: String, collide: Bool?) throws {
        let expected = collide.map { $0 ? ["2: error 1"] : [] } ?? ["2: warning 1"]
        #expect(try problems([route(1, first), route(2, second)]) == expected)
        #expect(try problems([route(1, second), route(2, first)]) == expected)
        #expect(try problems([route(1, first), route(2, second, priority: 1)]).allSatisfy { !$0.contains("error") })
    }

    @Test func whateverTellsRoutesApartEndsTheCollision() throws {
        #expect(try problems([route(1, "/a", hosts: ["a.t"]), route(2, "/a", hosts: ["b.t"])]) == [])
        #expect(try problems([route(1, "/a", hosts: ["a.t"]), route(2, "/a", hosts: ["*.t"])]) == [])
        #expect(try problems([route(1, "/a", hosts: ["a.t"]), route(2, "/a")]) == [])
        #expect(
            try problems([route(1, "/a", hosts: ["a.t", "b.t"]), route(2, "/a", hosts: ["c.t", "b.t"])]) == [
                "2: error 1"
            ])
        #expect(try problems([route(1, "/a", listeners: ["x"]), route(2, "/a", listeners: ["y"])]) == [])
        #expect(try problems([route(1, "/a", listeners: ["x"]), route(2, "/a")]) == ["2: error 1"])
        #expect(try problems([route(1, "/a", methods: ["GET"]), route(2, "/a", methods: ["POST"])]) == [])
        #expect(try problems([route(1, "/a", methods: ["GET"]), route(2, "/a")]) == [])
        #expect(
            try problems([route(1, "/a", methods: ["GET", "LINK"]), route(2, "/a", methods: ["LINK", "PUT"])]) == [
                "2: error 1"
            ])
        #expect(try problems([route(1, "/a", methods: ["LINK"]), route(2, "/a", methods: ["UNLINK"])]) == [])
        #expect(try problems([route(1, "/a", headers: [("x", .present(true))]), route(2, "/a")]) == [])
    }

    @Test func getAndHeadCollideAndTheMessageSaysWhy() throws {
        let found = try RouteCheck.problems(in: [route(1, "/a", methods: ["GET"]), route(2, "/a", methods: ["HEAD"])])
        #expect(
            found.map(\.message) == [
                "routes `r2` and `r1` match the same requests (`GET` also matches HEAD), and neither is more specific"
            ])
    }

    @Test(arguments: [
        (RouteConfig.Condition.equals("1"), RouteConfig.Condition.equals("2"), []),
        (.equals("1"), .equals("1"), ["2: error 1"]),
        (.present(true), .present(false), []), (.present(false), .equals("1"), []),
        (.present(true), .equals("1"), ["2: error 1"]),
    ])
    func conditionsOfOneNameMayExcludeEachOther(
        first: RouteConfig.Condition, second: RouteConfig.Condition, expected: [String]
    ) throws {
        #expect(
            try problems([route(1, "/a", headers: [("x", first)]), route(2, "/a", headers: [("x", second)])])
                == expected)
        #expect(
            try problems([route(1, "/a", query: [("x", second)]), route(2, "/a", query: [("x", first)])]) == expected)
        #expect(
            try problems([route(1, "/a", query: [("x", second)]), route(2, "/a", headers: [("x", first)])]) == [
                "2: error 1"
            ])
        #expect(
            try problems([route(1, "/a", headers: [("y", first)]), route(2, "/a", headers: [("x", second)])]) == [
                "2: error 1"
            ])
    }

    @Test func expressionsInConditionsAreComparedAsFarAsPossible() throws {
        func pair(_ first: String, _ second: RouteConfig.Condition) throws -> [String] {
            try problems([
                route(1, "/a", headers: [("x", .regex(TestRoutes.pattern(first)))]),
                route(2, "/a", headers: [("x", second)]),
            ])
        }
        #expect(try pair("^1", .regex(TestRoutes.pattern("^2"))) == [])
        #expect(try pair("1", .regex(TestRoutes.pattern("2"))) == ["2: warning 1"])
        #expect(try pair("1", .regex(TestRoutes.pattern("1"))) == ["2: error 1"])
        #expect(try pair("^1", .equals("2.1")) == [])
        #expect(try pair("^1", .equals("1.2")) == ["2: error 1"])
        #expect(try pair("^1", .present(false)) == [])
    }

    @Test func aRouteThatNeverMatchesIsAWarning() throws {
        #expect(try problems([route(1, "/{x}", priority: 1), route(2, "/{y}")]) == ["2: warning 1"])
        #expect(try problems([route(1, "/{x}"), route(2, "/{y}", priority: 1)]) == ["1: warning 2"])
        #expect(try problems([route(1, "/{x}"), route(2, "/{y:.+}")]) == ["1: warning 2"])
        #expect(try problems([route(1, "/{x}/{y}"), route(2, "/{x:.*}/{y:.+}")]) == ["1: warning 2"])
        #expect(try problems([route(1, "/{x}/{y}"), route(2, "/{x:.*}/{y:[0-9]+}")]) == [])
        #expect(try problems([route(1, "/{x}"), route(2, "/{y:.+}", methods: ["GET"])]) == [])
        #expect(
            try problems([route(1, "/a", methods: ["GET", "PUT"], priority: 1), route(2, "/a", methods: ["PUT"])]) == [
                "2: warning 1"
            ])
        #expect(
            try problems([route(1, "/a", methods: ["PUT"], priority: 1), route(2, "/a", methods: ["GET", "PUT"])]) == []
        )
        #expect(try problems([route(1, "/a", priority: 1, listeners: ["x"]), route(2, "/a")]) == [])
        #expect(
            try problems([route(1, "/a", hosts: ["a.t", "b.t"], priority: 1), route(2, "/a", hosts: ["b.t"])]) == [
                "2: warning 1"
            ])
        #expect(
            try problems([route(1, "/a", hosts: ["b.t"], priority: 1), route(2, "/a", hosts: ["a.t", "b.t"])]) == [])
        let some = RouteConfig.Condition.present(true)
        #expect(
            try problems([
                route(1, "/a", headers: [("x", some)], priority: 1), route(2, "/a", headers: [("x", .equals("1"))]),
            ]) == ["2: warning 1"])
        #expect(
            try problems([
                route(1, "/a", headers: [("x", .equals("1"))], priority: 1), route(2, "/a", headers: [("x", some)]),
            ]) == [])
    }

    @Test func limitsAreToldBeforeTheRouterMeetsThem() throws {
        func path(_ segment: String, _ count: Int) -> String { String(repeating: "/" + segment, count: count) }
        let names = (0...Router.parametersLimit).map { "/{p\($0)}" }.joined()
        #expect(try problems([route(1, names)]) == ["1: error 0"])
        #expect(try problems([route(1, path("a", Router.segmentsLimit))]) == [])
        #expect(try problems([route(1, path("a", Router.segmentsLimit + 1))]) == ["1: error 0"])
    }

    @Test func aProblemNamesBothPlaces() throws {
        let found = try #require(try RouteCheck.problems(in: [route(14, "/a"), route(20, "/a")]).first)
        let text = found.render { file, line in "  - path: /a" }
        #expect(text.contains("martlet.yaml:20:3: error: routes `r20` and `r14` match the same requests"))
        #expect(text.contains("martlet.yaml:14:3"))
    }

    /// When the check is silent, every request has one best route: turning the file round changes nothing.
    @Test func withoutProblemsTheOrderInTheFileNeverMatters() throws {
        var random = RandomSource(seed: 11)
        var silent = 0
        for _ in 0..<1500 {
            let routes = try RandomRoutes.routes(count: 2 + random.below(3), &random)
            // A warning says that a route never matches, which does not make the choice depend on the order.
            if RouteCheck.problems(in: routes).contains(where: { !$0.message.contains("never") }) { continue }
            silent += 1
            let (forwards, backwards) = (Router(routes, listener: "l"), Router(routes.reversed(), listener: "l"))
            for _ in 0..<40 {
                let request = RandomRoutes.request(&random)
                switch try (request.match(in: forwards).match, request.match(in: backwards).match) {
                case (.route(let one), .route(let other)):
                    #expect(one == routes.count - 1 - other, "\(request) \(routes)")
                case (let one, let other): #expect(one == other)
                }
            }
        }
        #expect(silent > 300)
    }
}
