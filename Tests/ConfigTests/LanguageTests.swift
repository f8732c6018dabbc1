import Net
import Testing
import YAML

@testable import Config

@Suite struct LanguageTests {
    static func load(
        _ text: String, environment: [String: String] = [:], files: [String: String] = [:], kinds: [CustomKind] = []
    ) throws -> GatewayConfig {
        var all = files.mapValues { Array($0.utf8) }
        all["martlet.yaml"] = Array(text.utf8)
        let result = ConfigLoader.load(
            path: "martlet.yaml", environment: environment, credentialsDirectory: "/creds", files: .memory(all),
            customKinds: kinds)
        #expect(result.report() == "")
        return try #require(result.config)
    }

    /// The same with a listener and a route, for what is about neither.
    static func loadPart(_ text: String, environment: [String: String] = [:]) throws -> GatewayConfig {
        try load("listen: 127.0.0.1:1\nroutes: [{ path: /*, respond: 200 }]\n" + text, environment: environment)
    }

    static func loadRoute(_ text: String, environment: [String: String] = [:]) throws -> RouteConfig {
        let config = try load("listen: 127.0.0.1:1\nroutes:\n  - { \(text) }\n", environment: environment)
        return try #require(config.routes.first)
    }

    // MARK: The whole

    @Test func theDesignsExampleLoads() throws {
        let text = try DiskFile.read(FixturePath.tests + "/Fixtures/valid/design.yaml", limit: 1 << 20)
        let result = ConfigLoader.load(
            path: "martlet.yaml", credentialsDirectory: "/creds",
            files: .memory(["martlet.yaml": text, "/creds/users-token": Array("t0ken\n".utf8)]))
        #expect(result.report() == "")
        let config = try #require(result.config)
        #expect(
            config.routes.map(\.name) == [
                "user", "/ws", "/old/{rest...}", "/healthz", "shop.internal/shop/cart", "shop.internal/shop/*",
            ])
        #expect(
            config.routes.map(\.middleware) == [
                ["edge-limit", "staff", "inject"], ["edge-limit"], ["edge-limit"], [], ["edge-limit"], ["edge-limit"],
            ])
        let users = try #require(config.upstreams.first)
        #expect(
            users.endpoints.map(\.url) == [
                "http://10.0.0.11:9000", "http://users.internal:9000", "unix:/run/users.sock",
            ])
        #expect(users.endpoints.map(\.weight) == [1, 2, 1])
        #expect(users.endpoints.map(\.isBackup) == [false, false, true])
        guard case .headers(let inject) = config.middleware[2].kind else {
            Issue.record("no headers")
            return
        }
        #expect(inject.request.set[0].value.segments == [.literal(Array("Bearer t0ken".utf8))])
        #expect(inject.request.set[0].value.source == "Bearer ${credential:users-token}")
        #expect(inject.request.set[1].value.segments == [.variable(.pathParameter("id"))])
        #expect(inject.request.remove == ["cookie"])
    }

    @Test func theSmallestFileHasAllDefaults() throws {
        let config = try Self.load(
            "listen: 127.0.0.1:8080\nroutes:\n  - path: /*\n    upstream: http://127.0.0.1:9000\n")
        var listener = ListenerConfig(location: Location(file: "martlet.yaml", line: 1, column: 9))
        listener.bind = [.address(.ip(.v4(0x7F00_0001), port: 8080))]
        var upstream = UpstreamConfig(
            name: "http://127.0.0.1:9000", location: Location(file: "martlet.yaml", line: 4, column: 15))
        upstream.endpoints = [
            .init(
                url: "http://127.0.0.1:9000", target: .address(.ip(.v4(0x7F00_0001), port: 9000)),
                authority: "127.0.0.1:9000")
        ]
        let route = RouteConfig(
            name: "/*", path: .init(segments: [.tail(nil)], hasTrailingSlash: false, source: "/*"),
            action: .upstream("http://127.0.0.1:9000"), location: Location(file: "martlet.yaml", line: 3, column: 5))
        var expected = GatewayConfig()
        expected.listeners = [listener]
        expected.upstreams = [upstream]
        expected.routes = [route]
        #expect(config == expected)
    }

    // MARK: Listeners

    @Test func listenIsAStringOrAList() throws {
        let one = try Self.load("listen: \"[::1]:80\"\nroutes: [{ path: /*, respond: 200 }]\n")
        #expect(one.listeners.map(\.bind) == [[.address(.ip(.v6(0, 1), port: 80))]])
        let many = try Self.load(
            "listen: [127.0.0.1:0, \":8080\", unix:/run/a.sock, systemd:web, { unix: /b, mode: 600, owner: www }]\n"
                + "listeners: { other: { bind: 127.0.0.1:2 } }\nroutes: [{ path: /*, respond: 200 }]\n")
        #expect(many.listeners.map(\.name) == ["default", "other"])
        #expect(
            many.listeners[0].bind == [
                .address(.ip(.v4(0x7F00_0001), port: 0)), .address(.ip(.v4(0), port: 8080)),
                .unix(path: "/run/a.sock", mode: nil, owner: nil), .systemd("web"),
                .unix(path: "/b", mode: 0o600, owner: "www"),
            ])
    }

    // MARK: Upstreams

    @Test func theSameURLIsTheSamePool() throws {
        let config = try Self.load(
            """
            listen: 127.0.0.1:1
            upstreams: { chat: "http://10.0.0.21:80", both: [http://10.0.0.1, http://10.0.0.2] }
            middleware: { sso: { forward_auth: { upstream: "http://10.0.0.9/" } } }
            routes:
              - { path: /a, upstream: http://10.0.0.21 }
              - { path: /b, upstream: http://10.0.0.9:80 }
              - { path: /c, upstream: http://NAME.internal/ }
              - { path: /d, upstream: http://name.internal:80 }
              - { path: /e, upstream: [http://10.0.0.1, http://10.0.0.2] }
              - { path: /f, upstream: [http://10.0.0.1, http://10.0.0.2:80/] }
            """)
        #expect(
            config.upstreams.map(\.name) == [
                "chat", "both", "http://10.0.0.9/", "http://NAME.internal/", "http://10.0.0.1,http://10.0.0.2",
            ])
        #expect(
            config.routes.map(\.action) == [
                .upstream("chat"), .upstream("http://10.0.0.9/"), .upstream("http://NAME.internal/"),
                .upstream("http://NAME.internal/"), .upstream("http://10.0.0.1,http://10.0.0.2"),
                .upstream("http://10.0.0.1,http://10.0.0.2"),
            ])
        #expect(config.upstreams[3].endpoints[0].target == .name("name.internal", port: 80))
        #expect(config.upstreams[3].endpoints[0].authority == "name.internal")
    }

    @Test func defaultTimeoutsHoldForUpstreamsThatSayNothing() throws {
        let config = try Self.load(
            """
            listen: 127.0.0.1:1
            routes: [{ path: /*, upstream: "http://10.0.0.3", timeouts: { queue: 1s } }]
            upstreams:
              a: { endpoints: http://10.0.0.1, timeouts: { response: 5s } }
              b: http://10.0.0.2
            defaults: { timeouts: { response: 20s, connect: 1s, total: 1m } }
            """)
        let timeouts = config.upstreams.map(\.timeouts)
        #expect(timeouts.map(\.response) == [.seconds(5), .seconds(20), .seconds(20)])
        #expect(timeouts.map(\.connect) == [.seconds(1), .seconds(1), .seconds(1)])
        #expect(timeouts.map(\.total) == [.seconds(60), .seconds(60), .seconds(60)])
        #expect(config.routes[0].timeouts.queue == .seconds(1))
        #expect(config.routes[0].timeouts.response == nil)
    }

    // MARK: Routes

    @Test func groupsAreFlattened() throws {
        let config = try Self.load(
            """
            listeners: { a: { bind: 127.0.0.1:1 }, b: { bind: 127.0.0.1:2 } }
            middleware: { one: { rate_limit: 1/s }, two: { rate_limit: 2/s }, three: { rate_limit: 3/s } }
            defaults: { middleware: [one] }
            routes:
              - host: a.example
                path: /t/{tenant}/
                listeners: [a]
                headers: { X-A: "1" }
                middleware: [two, { body_limit: 1KiB }]
                timeouts: { response: 1s, queue: 2s }
                access_log: off
                priority: 3
                routes:
                  - { path: "/u/{id}", upstream: "http://h", middleware: [three], timeouts: { queue: 9s }, priority: 0 }
                  - { path: /, host: b.example, listeners: b, skip: [one, two], respond: 200 }
                  - { respond: 204, headers: { X-B: { present: false } }, access_log: { format: common } }
                  - { path: /deep, methods: [GET], routes: [{ path: /x, respond: 200 }] }
            """)
        #expect(
            config.routes.map(\.name) == [
                "a.example/t/{tenant}/u/{id} header.x-a=1 @a", "b.example/t/{tenant}/ header.x-a=1 @b",
                "a.example/t/{tenant}/* header.x-a=1 header.!x-b @a", "GET a.example/t/{tenant}/deep/x header.x-a=1 @a",
            ])
        let inline = "/t/{tenant}/body_limit"
        #expect(
            config.routes.map(\.middleware) == [
                ["one", "two", inline, "three"], [inline], ["one", "two", inline], ["one", "two", inline],
            ])
        #expect(config.middleware.map(\.name) == ["one", "two", "three", inline])
        #expect(config.routes.map(\.priority) == [0, 3, 3, 3])
        #expect(config.routes.map(\.timeouts.queue) == [.seconds(9), .seconds(2), .seconds(2), .seconds(2)])
        #expect(config.routes[1].path.hasTrailingSlash)
        #expect(config.routes[1].path.segments == [.literal("t"), .parameter("tenant")])
        #expect(config.routes[2].path.segments == [.literal("t"), .parameter("tenant"), .tail(nil)])
        #expect(config.routes[0].accessLog == .off)
        #expect(config.routes[3].methods == ["GET"])
        var own = AccessLogConfig()
        own.format = .common
        #expect(config.routes[2].accessLog == .own(own))
    }

    @Test func inlineMiddlewareHasNamesOfItsOwn() throws {
        let config = try Self.load(
            """
            listen: 127.0.0.1:1
            defaults: { middleware: [{ request_id: {} }] }
            routes:
              - { name: r, path: /a, middleware: [{ rate_limit: 1/s }, { rate_limit: 5/m }], respond: 200 }
            """)
        #expect(config.middleware.map(\.name) == ["defaults/request_id", "r/rate_limit", "r/rate_limit#2"])
        #expect(config.routes[0].middleware == ["defaults/request_id", "r/rate_limit", "r/rate_limit#2"])
    }

    @Test func actionsAndRewritesAreRead() throws {
        #expect(
            try Self.loadRoute("path: /a, redirect: /b").action == .redirect(to: Template(literal: "/b"), status: 307))
        let redirect = try Self.loadRoute("path: \"/{a}\", redirect: { to: \"/x{{/{path.a}\", status: 301 }")
        #expect(
            redirect.action
                == .redirect(
                    to: Template(
                        segments: [.literal(Array("/x{/".utf8)), .variable(.pathParameter("a"))],
                        source: "/x{{/{path.a}"),
                    status: 301))
        #expect(try Self.loadRoute("upstream: \"http://a\", strip_prefix: /x").rewrite == .stripPrefix("/x"))
        #expect(try Self.loadRoute("upstream: \"http://a\", rewrite: { add_prefix: /x }").rewrite == .addPrefix("/x"))
        #expect(
            try Self.loadRoute("upstream: \"http://a\", rewrite: { path: /x }").rewrite
                == .path(Template(literal: "/x")))
        #expect(try Self.loadRoute("upstream: \"http://a\", trailers: [X-Sum]").trailers == ["x-sum"])
    }

    @Test func answersAreBuilt() throws {
        func response(_ text: String, environment: [String: String] = [:]) throws -> RouteConfig.Response {
            guard case .respond(let response) = try Self.loadRoute("respond: \(text)", environment: environment).action
            else {
                return RouteConfig.Response()
            }
            return response
        }
        let json = try response(
            "{ json: { a: true, b: no, c: 1.5, d: 007, e: null, f: \"1\", g: [1, x], \"h\\\"\": \"${env:S}\" } }",
            environment: ["S": "1\n\""])
        #expect(
            String(decoding: json.body, as: UTF8.self)
                == #"{"a":true,"b":"no","c":1.5,"d":"007","e":null,"f":"1","g":[1,"x"],"h\"":"1\n\""}"#)
        #expect(json.contentType == "application/json")
        let text = try response("{ status: 418, text: \"a\\nb\", headers: { X-A: \"{client_ip}\" } }")
        #expect(text.body == Array("a\nb".utf8))
        #expect(text.contentType == "text/plain; charset=utf-8")
        #expect(text.headers.map(\.name) == ["X-A"])
        let empty = try response("204")
        #expect(empty.status == 204 && empty.body.isEmpty && empty.contentType == nil)
    }

    @Test func conditionsAndHostsAreRead() throws {
        let route = try Self.loadRoute(
            "host: [\"*.Example.COM.\", 127.0.0.1, \"[::1]\", a_b.c], methods: M-SEARCH, headers: { X-A: 2, Y: { regex: \"^2\" } }, "
                + "query: { \"a b\": { present: true }, c: \"\" }, respond: 200")
        #expect(route.hosts == [.wildcard("example.com"), .exact("127.0.0.1"), .exact("[::1]"), .exact("a_b.c")])
        #expect(route.methods == ["M-SEARCH"])
        #expect(route.headers.map(\.name) == ["x-a", "y"])
        #expect(route.headers[0].condition == .equals("2"))
        guard case .regex(let pattern) = route.headers[1].condition else {
            Issue.record("no expression")
            return
        }
        #expect(pattern.source == "^2")
        #expect(route.query.map(\.condition) == [.present(true), .equals("")])
    }

    // MARK: Middleware

    @Test func middlewareIsRead() throws {
        let config = try Self.loadPart(
            """
            middleware:
              a: { rate_limit: 10/m }
              b: { rate_limit: { rate: 5000/h, burst: 7, key: [header.X-User, route], ipv6_prefix: 56, headers: no } }
              c: { body_limit: 1MB }
              d: { body_limit: {} }
              e: { ip_filter: { allow: 10.0.0.0/8, deny: [10.1.2.3] } }
              f: { api_key: { query: key, keys: { x: ["sha256:\(String(repeating: "01", count: 32))", "sha256:\(String(repeating: "AB", count: 32))"] }, hide: false } }
              g: { request_id: }
            """)
        let kinds = config.middleware.map(\.kind)
        var limit = RateLimitConfig()
        (limit.count, limit.period, limit.burst) = (10, .seconds(60), 10)
        #expect(kinds[0] == .rateLimit(limit))
        (limit.count, limit.period, limit.burst) = (5_000, .seconds(3_600), 7)
        (limit.key, limit.ipv6Prefix, limit.headers) = ([.header("x-user"), .route], 56, false)
        #expect(kinds[1] == .rateLimit(limit))
        var body = BodyLimitConfig()
        #expect(kinds[3] == .bodyLimit(body))
        body.maxBytes = 1_000_000
        #expect(kinds[2] == .bodyLimit(body))
        var filter = IPFilterConfig()
        filter.allow = [CIDRBlock(address: .v4(0x0A00_0000), prefix: 8)]
        filter.deny = [CIDRBlock(address: .v4(0x0A01_0203), prefix: 32)]
        #expect(kinds[4] == .ipFilter(filter))
        var key = APIKeyConfig()
        key.source = .query("key")
        key.keys = [[UInt8](repeating: 1, count: 32): "x", [UInt8](repeating: 0xAB, count: 32): "x"]
        key.hide = false
        #expect(kinds[5] == .apiKey(key))
        #expect(kinds[6] == .requestID(RequestIDConfig()))
    }

    @Test func customKindsHaveTheirSettings() throws {
        let kind = CustomKind(
            "tenant", "Finds the tenant.",
            keys: [
                .init("header", .text, isRequired: true, "Where it stands."),
                .init("strict", .boolean, default: "false", "Whether it must be there."),
                .init("ttl", .duration(.zero...(.seconds(60))), "How long it is known."),
                .init("size", .size(0...10_000), "How much."), .init("mode", .words(["a", "b"]), default: "a", "How."),
            ])
        let text =
            "listen: 127.0.0.1:1\nroutes: [{ path: /*, respond: 200 }]\nmiddleware: { t: { tenant: { header: X-T, strict: yes, ttl: 1s, size: 1KB } } }\n"
        let config = try Self.load(text, kinds: [kind])
        #expect(
            config.middleware[0].kind
                == .custom(
                    kind: "tenant",
                    settings: ["header": "X-T", "strict": "true", "ttl": "1000000000", "size": "1000", "mode": "a"]))
        let wrong = ConfigLoader.load(
            text:
                "listen: 127.0.0.1:1\nroutes: [{ path: /*, middleware: [{ tenant: { ttl: 5m, mde: b } }], respond: 200 }]\n",
            customKinds: [kind])
        #expect(
            wrong.problems.map(\.message) == [
                "tenant needs the key `header`", "5m is out of bounds: 0s to 1m", "unknown key `mde` in tenant",
            ])
    }

    // MARK: From outside

    @Test func valuesFromOutsideAreExpandedOnce() throws {
        let config = try Self.load(
            """
            listen: 127.0.0.1:${env:PORT}
            drain_timeout: ${env:UNSET:-5s}
            workers: ${env:EMPTY:-3}
            middleware:
              a: { headers: { request: { set: { A: "x${env:TRICK}y", B: "${file:token}", C: "$5 ${credential:c}{method}" } } } }
            routes: [{ path: "${file:/abs/path}", middleware: [a], upstream: "${env:URL}" }]
            """,
            environment: ["PORT": "81", "EMPTY": "", "TRICK": "{client_ip}${env:PORT}", "URL": "http://10.0.0.1:5"],
            files: ["token": "a: b\n", "/creds/c": "cred\r\n", "/abs/path": "/p"])
        #expect(config.listeners[0].bind == [.address(.ip(.v4(0x7F00_0001), port: 81))])
        #expect(config.drainTimeout == .seconds(5))
        #expect(config.workers == .count(3))
        #expect(config.routes[0].path.segments == [.literal("p")])
        #expect(config.routes[0].name == "${file:/abs/path}")
        #expect(config.upstreams[0].name == "${env:URL}")
        #expect(config.upstreams[0].endpoints[0].authority == "10.0.0.1:5")
        guard case .headers(let headers) = config.middleware[0].kind else { return }
        #expect(headers.request.set.map(\.name) == ["A", "B", "C"])
        #expect(headers.request.set[1].value.segments == [.literal(Array("a: b".utf8))])
        #expect(headers.request.set[0].value.segments == [.literal(Array("x{client_ip}${env:PORT}y".utf8))])
        #expect(headers.request.set[0].value.source == "x${env:TRICK}y")
        #expect(headers.request.set[2].value.segments == [.literal(Array("$5 cred".utf8)), .variable(.method)])
    }

    @Test func secretsOfConditionsAreNotInNames() throws {
        let route = try Self.loadRoute(
            "headers: { X-Key: \"${env:S}\" }, respond: 200", environment: ["S": "hidden-value"])
        #expect(route.name == "/* header.x-key=${env:S}")
        #expect(route.headers[0].condition == .equals("hidden-value"))
    }

    @Test func includesAreFilesOfTheSameShape() throws {
        let config = try Self.load(
            "include: [conf.d/*.yaml, extra.yaml]\nlisten: 127.0.0.1:1\nroutes: [{ path: /a, upstream: u }]\n",
            files: [
                "conf.d/20.yaml": "routes: [{ path: /c, respond: 200 }]\n", "conf.d/.hidden.yaml": "broken: [",
                "conf.d/10.yaml":
                    "upstreams: { u: http://h }\ninclude: sub/x.yaml\nroutes: [{ path: /b, upstream: u }]\n",
                "conf.d/sub/x.yaml": "drain_timeout: 1s\nx-ignored: { a: b }\n", "extra.yaml": "# nothing\n",
                "conf.d/readme.txt": "no yaml",
            ])
        #expect(config.routes.map(\.name) == ["/a", "/b", "/c"])
        #expect(config.routes[1].location.file == "conf.d/10.yaml")
        #expect(config.drainTimeout == .seconds(1))
    }

    @Test func wordsOfYAMLMeanNothing() throws {
        let route = try Self.loadRoute(
            "host: no, path: /on, headers: { X-A: yes, X-B: 1_000, X-C: 0x10 }, name: null1, respond: 200")
        #expect(route.hosts == [.exact("no")])
        #expect(route.headers.map(\.condition) == [.equals("yes"), .equals("1_000"), .equals("0x10")])
    }

    // MARK: Warnings

    @Test(arguments: [
        ("routes: []", "there is no listener"),
        ("listen: 127.0.0.1:1", "there is no route: every request is answered 404"),
        (
            "listen: 127.0.0.1:1\nmiddleware: { a: { rate_limit: 1/s } }\nroutes: [{ path: /, skip: [a], respond: 200 }]",
            "`a` does not run here anyway"
        ),
        (
            "listen: 127.0.0.1:1\nmiddleware: { a: { rate_limit: 1/s } }\ndefaults: { middleware: [a] }\n"
                + "routes: [{ path: /, middleware: [a], respond: 200 }]", "`a` runs on this route already; it runs once"
        ),
        (
            "listen: 127.0.0.1:1\nroutes: [{ path: /, respond: { headers: { Authorization: Basic x } } }]",
            "a secret stands in the file"
        ),
    ])
    func doubtsAreWarnings(_ text: String, _ message: String) {
        let result = ConfigLoader.load(text: text + "\n")
        #expect(result.problems.map(\.message) == [message])
        #expect((result.config != nil) == (result.problems[0].severity == .warning))
    }
}

enum FixturePath {
    /// This folder.
    static let tests = String(#filePath.dropLast("/LanguageTests.swift".utf8.count))
    /// The repository.
    static let root = String(tests.dropLast("/Tests/ConfigTests".utf8.count))

    /// Where `tls/NAME` lies; nil for other paths.
    static func certificate(_ path: String) -> String? {
        path.hasPrefix("tls/") ? "\(root)/Tests/TLSTests/Fixtures/\(path.dropFirst(4))" : nil
    }
}
