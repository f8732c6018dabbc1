import Config
import Routing
import Testing

@Suite struct RouterTests {
    /// The path of the route that matches, or what was found instead.
    private func found(_ request: TestRequest, _ routes: [RouteConfig], listener: String = "default") throws -> String {
        switch try request.match(in: Router(routes, listener: listener)).match {
        case .route(let number): routes[number].path.source
        case .notFound: "404"
        case .methodNotAllowed: "405"
        }
    }

    @Test(arguments: [
        ("/", "/"), ("/a", "/a"), ("/a/", "/a/*"), ("/a/b", "/a/b"), ("/a/c", "/a/{x}"), ("/a/7", "/a/{n:[0-9]+}"),
        ("/a/b/", "/a/*"),
        ("/a/c/d", "/a/{x}/d"), ("/a/7/d", "/a/{n:[0-9]+}/d"), ("/a/7/e", "/a/*"), ("/a/c/e", "/a/*"), ("/apix", "404"),
        ("/b", "404"),
        ("/b/", "/b/"), ("/api", "/api/*"), ("/api/", "/api/*"), ("/api/x/y/z/", "/api/*"), ("/api//", "/api/*"),
        ("//", "404"),
        ("/A", "404"), ("/a//", "/a/*"), ("/a%2Fb", "404"), ("/api%2Fx", "404"), ("/s//t", "/s//t"), ("/s/t", "404"),
        ("/s/x/t", "404"),
    ])
    func theMostSpecificPathWins(path: String, expected: String) throws {
        let routes = try [
            "/", "/a", "/a/b", "/a/{x}", "/a/{n:[0-9]+}", "/a/{x}/d", "/a/{n:[0-9]+}/d", "/a/*", "/b/", "/api/*",
            "/s//t",
        ].map { try TestRoutes.route($0) }
        #expect(try found(TestRequest(path: path), routes) == expected)
        #expect(try found(TestRequest(path: path), routes.reversed()) == expected, "order in the file never matters")
    }

    @Test(arguments: [
        ("/users/7", ["7"]), ("/files", [""]), ("/files/", [""]), ("/files/a", ["a"]), ("/files/a/b/", ["a/b/"]),
        ("/x/1/y/2/z", ["1", "2", "z"]),
        ("/x/1/y/2", ["1", "2", ""]), ("/x/1/y/2/", ["1", "2", ""]), ("/none/a/b", []),
    ])
    func parametersAreRangesOfThePath(path: String, values: [String]) throws {
        let routes = try ["/users/{id}", "/files/{rest...}", "/x/{a}/y/{b:[0-9]}/{rest...}", "/none/*"].map {
            try TestRoutes.route($0)
        }
        #expect(try TestRequest(path: path).match(in: Router(routes, listener: "l")).parameters == values)
    }

    @Test func namesOfParametersStandInTheirOrder() throws {
        let router = Router(
            try [TestRoutes.route("/x/{a}/y/{b:[0-9]}/{rest...}"), TestRoutes.route("/y/*")], listener: "l")
        #expect(router.parameterNames(of: 0) == [Array("a".utf8), Array("b".utf8), Array("rest".utf8)])
        #expect(router.parameterNames(of: 1).isEmpty)
    }

    @Test(arguments: [
        ("a.test", "/exact"), ("b.test", "/short"), ("c.b.test", "/long"), ("d.c.b.test", "/long"), ("test", "/any"),
        ("x.other", "/any"),
        ("", "/any"), ("xb.test", "/short"), ("a.test.test", "/short"), ("best", "/any"), (".test", "/any"),
        ("b.test.x", "/any"),
    ])
    func theMostSpecificHostWins(host: String, expected: String) throws {
        let routes = try [
            TestRoutes.route("/any/*"), TestRoutes.route("/short/*", hosts: ["*.test"]),
            TestRoutes.route("/long/*", hosts: ["*.b.test"]),
            TestRoutes.route("/exact/*", hosts: ["a.test", "elsewhere"]),
        ]
        // All have the same path in the router, and their own in what is expected.
        let same = try routes.map { route in
            var route = route
            route.path = try TestRoutes.path("/*")
            return route
        }
        let found = try TestRequest(host: host).match(in: Router(same, listener: "l")).match
        #expect(found == .route(try #require(routes.firstIndex { $0.path.source == expected + "/*" })))
    }

    @Test func aHostWhoseRoutesDoNotMatchLeavesTheRequestToTheNextPattern() throws {
        let routes = try [
            TestRoutes.route("/a", hosts: ["x.test"]), TestRoutes.route("/b", hosts: ["*.test"]),
            TestRoutes.route("/c"),
            TestRoutes.route("/b", methods: ["POST"]),
        ]
        #expect(try found(TestRequest(host: "x.test", path: "/a"), routes) == "/a")
        #expect(try found(TestRequest(host: "x.test", path: "/b"), routes) == "/b")
        #expect(try found(TestRequest(host: "x.test", path: "/c"), routes) == "/c")
        #expect(try found(TestRequest(host: "y.test", path: "/a"), routes) == "404")
        #expect(try found(TestRequest(host: "other", path: "/b"), routes) == "405")
    }

    @Test(arguments: [
        ("GET", RouteMatch.route(0)), ("HEAD", .route(0)), ("POST", .route(1)), ("PURGE", .route(2)),
        ("purge", .methodNotAllowed),
        ("PUT", .methodNotAllowed), ("LINK", .methodNotAllowed), ("DELETE", .methodNotAllowed),
    ])
    func methodsDecide(method: String, expected: RouteMatch) throws {
        let routes = try [
            TestRoutes.route("/a", methods: ["GET"]), TestRoutes.route("/a", methods: ["POST", "PATCH"]),
            TestRoutes.route("/a", methods: ["PURGE"]),
        ]
        let request = TestRequest(method: method, path: "/a")
        #expect(try request.match(in: Router(routes, listener: "l")).match == expected)
        #expect(try TestRequest(method: method, path: "/b").match(in: Router(routes, listener: "l")).match == .notFound)
    }

    @Test func aRouteForTheMethodIsBeforeOneForAll() throws {
        let routes = try [TestRoutes.route("/a"), TestRoutes.route("/a", methods: ["GET"])]
        let router = Router(routes, listener: "l")
        #expect(try TestRequest(method: "HEAD", path: "/a").match(in: router).match == .route(1))
        #expect(try TestRequest(method: "LINK", path: "/a").match(in: router).match == .route(0))
    }

    @Test func theSearchGoesBackWhenMethodOrConditionsFailFurtherDown() throws {
        let routes = try [
            TestRoutes.route("/a/b/c", methods: ["POST"]),
            TestRoutes.route("/a/{x}/c", headers: [("x-v", .equals("2"))]),
            TestRoutes.route("/a/{x}/{y}", methods: ["GET"]), TestRoutes.route("/*", methods: ["PUT"]),
        ]
        let router = Router(routes, listener: "l")
        #expect(try TestRequest(method: "POST", path: "/a/b/c").match(in: router).match == .route(0))
        #expect(try TestRequest(path: "/a/b/c", headers: [("X-V", "2")]).match(in: router).match == .route(1))
        #expect(try TestRequest(path: "/a/b/c").match(in: router).match == .route(2))
        #expect(try TestRequest(method: "PUT", path: "/a/b/c").match(in: router).match == .route(3))
        #expect(try TestRequest(method: "DELETE", path: "/a/b/c").match(in: router).match == .methodNotAllowed)
    }

    @Test func amongConstrainedSiblingsTheRestOfThePathDecides() throws {
        let routes = try ["/{a:[0-9]+}/{b}", "/{a:[0-9a-f]+}/x", "/{a:[0-9]+}/x/*", "/{a}/x"].map {
            try TestRoutes.route($0)
        }
        #expect(try found(TestRequest(path: "/12/x"), routes) == "/{a:[0-9a-f]+}/x")
        #expect(try found(TestRequest(path: "/12/y"), routes) == "/{a:[0-9]+}/{b}")
        #expect(try found(TestRequest(path: "/12/x/y"), routes) == "/{a:[0-9]+}/x/*")
        #expect(try found(TestRequest(path: "/zz/x"), routes) == "/{a}/x")
    }

    @Test func priorityDecidesOnlyBetweenEquals() throws {
        let routes = try [
            TestRoutes.route("/{a}", priority: 1), TestRoutes.route("/{b}", priority: 2),
            TestRoutes.route("/*", priority: 9),
            TestRoutes.route("/{c:[0-9]+}", priority: -5),
        ]
        #expect(try found(TestRequest(path: "/x"), routes) == "/{b}")
        #expect(try found(TestRequest(path: "/1"), routes) == "/{c:[0-9]+}")
    }

    @Test func onlyRoutesOfTheListenerAreSeen() throws {
        let routes = try [
            TestRoutes.route("/a", listeners: ["x"]), TestRoutes.route("/a", listeners: ["y", "z"]),
            TestRoutes.route("/b"),
        ]
        for (listener, expected) in [("x", RouteMatch.route(0)), ("y", .route(1)), ("z", .route(1)), ("w", .notFound)] {
            #expect(try TestRequest(path: "/a").match(in: Router(routes, listener: listener)).match == expected)
            #expect(try TestRequest(path: "/b").match(in: Router(routes, listener: listener)).match == .route(2))
        }
    }

    @Test func allowedMethodsAreThoseOfEveryRouteAtThePlace() throws {
        let routes = try [
            TestRoutes.route("/a", methods: ["GET"]), TestRoutes.route("/{x}", methods: ["POST", "PURGE"]),
            TestRoutes.route("/*", hosts: ["h.test"], methods: ["PUT"], headers: [("x", .present(true))]),
            TestRoutes.route("/b", methods: ["PATCH"]),
        ]
        let router = Router(routes, listener: "l")
        func allowed(_ host: String, _ path: String) -> [String] {
            let host = Array(host.utf8)
            let path = Array(path.utf8)
            return router.allowedMethods(host: host.span, path: path.span)
        }
        #expect(allowed("", "/a") == ["GET", "HEAD", "POST", "PURGE"])
        #expect(allowed("h.test", "/a") == ["GET", "HEAD", "POST", "PURGE", "PUT"])
        #expect(allowed("", "/a/b").isEmpty)
    }

    @Test func aRouterWithoutRoutesFindsNothing() throws {
        #expect(try TestRequest(host: "a.test").match(in: Router([], listener: "l")).match == .notFound)
    }

    @Test func theAsteriskIsMatchedByARouteForEveryPath() throws {
        let routes = try [TestRoutes.route("/{x}"), TestRoutes.route("/{rest...}")]
        let found = try TestRequest(method: "OPTIONS", path: "*").match(in: Router(routes, listener: "l"))
        #expect(found.match == .route(1) || found.match == .notFound)
        #expect(
            try TestRequest(method: "OPTIONS", path: "*").match(in: Router([routes[0]], listener: "l")).match
                == .notFound)
    }
}
