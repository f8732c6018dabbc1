import Config
import Routing
import Testing

@Suite struct RouteConditionsTests {
    private func holds(_ request: TestRequest, header condition: RouteConfig.Condition) throws -> Bool {
        let route = try TestRoutes.route("/", headers: [("x-version", condition)])
        return try request.match(in: Router([route], listener: "l")).match == .route(0)
    }

    private func holds(_ query: String?, parameter condition: RouteConfig.Condition) throws -> Bool {
        let route = try TestRoutes.route("/", query: [("v 1", condition)])
        return try TestRequest(query: query).match(in: Router([route], listener: "l")).match == .route(0)
    }

    @Test(
        arguments: [
            ([], false, false, true, false), (["2"], true, true, false, true), (["2.1"], false, true, false, true),
            (["1.2"], false, false, false, true),
            (["1", "2"], false, false, false, true), (["2", "1"], false, true, false, true),
            ([""], false, false, false, true),
        ] as [([String], Bool, Bool, Bool, Bool)])
    func headersAreComparedAsOneValue(values: [String], equals: Bool, regex: Bool, absent: Bool, present: Bool) throws {
        let request = TestRequest(headers: values.map { ("X-VERSION", $0) })
        #expect(try holds(request, header: .equals("2")) == equals)
        #expect(try holds(request, header: .regex(TestRoutes.pattern("^2"))) == regex)
        #expect(try holds(request, header: .present(false)) == absent)
        #expect(try holds(request, header: .present(true)) == present)
    }

    @Test func severalLinesAreJoined() throws {
        let request = TestRequest(headers: [("X-Version", "1"), ("Other", "x"), ("x-version", "2"), ("X-Version", "")])
        #expect(try holds(request, header: .equals("1, 2, ")))
        #expect(try !holds(request, header: .equals("1, 2")))
        #expect(try !holds(request, header: .equals("1, 2, 3")))
        #expect(try holds(request, header: .regex(TestRoutes.pattern("^1, 2, $"))))
    }

    @Test func aLineThatIsNotForwardedDoesNotCount() throws {
        let named = TestRequest(headers: [("X-Version", "2"), ("Connection", "x-version")])
        #expect(try !holds(named, header: .equals("2")))
        #expect(try holds(named, header: .present(false)))
        let upgrade = try TestRoutes.route("/", headers: [("upgrade", .equals("websocket"))])
        let request = TestRequest(headers: [
            ("Upgrade", "websocket"), ("Connection", "upgrade"), ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ])
        #expect(try request.match(in: Router([upgrade], listener: "l")).match == .route(0))
    }

    @Test(
        arguments: [
            (nil, false, false, true, false), ("", false, false, true, false), ("v%201=a%26b", true, true, false, true),
            ("x=1&v+1=a%26b&y", true, true, false, true), ("v+1", false, false, false, true),
            ("v+1=", false, false, false, true),
            ("v+1=a%26b&v%201=c", false, false, false, true), ("v+1=a%26b&v+1=a%26b", true, true, false, true),
            ("V+1=a", false, false, true, false),
            ("v+1=a", false, true, false, true), ("v+1==a", false, false, false, true),
            ("&&v+1=a%26b&", true, true, false, true),
            ("v+1=a&b", false, true, false, true), ("vv+1=a%26b", false, false, true, false),
            ("v+=a%26b", false, false, true, false),
        ] as [(String?, Bool, Bool, Bool, Bool)])
    func everyCopyOfAQueryParameterMustDo(query: String?, equals: Bool, regex: Bool, absent: Bool, present: Bool) throws
    {
        #expect(try holds(query, parameter: .equals("a&b")) == equals)
        #expect(try holds(query, parameter: .regex(TestRoutes.pattern("^a"))) == regex)
        #expect(try holds(query, parameter: .present(false)) == absent)
        #expect(try holds(query, parameter: .present(true)) == present)
    }

    @Test func moreConditionsAreMoreSpecific() throws {
        let routes = try [
            TestRoutes.route("/"), TestRoutes.route("/", headers: [("a", .present(true))]),
            TestRoutes.route("/", headers: [("a", .present(true))], query: [("b", .equals("1"))]),
            TestRoutes.route("/", methods: ["GET"]),
        ]
        let router = Router(Array(routes.dropLast()), listener: "l")
        #expect(try TestRequest().match(in: router).match == .route(0))
        #expect(try TestRequest(headers: [("A", "")]).match(in: router).match == .route(1))
        #expect(try TestRequest(query: "b=1", headers: [("A", "")]).match(in: router).match == .route(2))
        #expect(
            try TestRequest(query: "b=1", headers: [("A", "")]).match(in: Router(routes, listener: "l")).match
                == .route(3))
    }

    @Test func anUnmetConditionIsNotAnotherMethod() throws {
        let route = try TestRoutes.route("/", methods: ["POST"], headers: [("a", .present(true))])
        let router = Router([route], listener: "l")
        #expect(try TestRequest().match(in: router).match == .notFound)
        #expect(try TestRequest(headers: [("a", "")]).match(in: router).match == .methodNotAllowed)
    }
}
