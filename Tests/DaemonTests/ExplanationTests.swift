import Config
import Testing

@testable import Daemon

@Suite struct ExplanationTests {
    static let file = """
        listeners:
          public: { bind: ["127.0.0.1:8080"] }
          inner: { bind: ["127.0.0.1:8081"], path_rules: { encoded_slash: reject } }
        upstreams:
          users:
            endpoints: [ "http://127.0.0.1:9000", { url: "http://127.0.0.1:9001", weight: 3, backup: true } ]
        middleware:
          limit: { rate_limit: { rate: 10/s, burst: 20, key: client_ip } }
        routes:
          - name: user
            host: api.example.com
            path: /users/{id}
            methods: [GET]
            middleware: [limit]
            rewrite: { path: "/v2/{path.id}" }
            upstream: users
          - name: second
            listeners: [public]
            path: /users/{id}
            headers: { X-Version: "2" }
            upstream: http://127.0.0.1:9002
          - { name: old, path: "/old/{rest...}", redirect: { to: "/new/{path.rest}", status: 308 } }
          - { name: inner, listeners: [inner], path: /inner, respond: { status: 204 } }
        """

    struct Question: Sendable, CustomTestStringConvertible {
        var method = "GET"
        var url: String
        var fields: [String] = []
        var listener: String?
        var isServed = true
        var lines: [String]
        var testDescription: String { "\(method) \(url) \(fields.joined(separator: ", "))" }
    }

    static let questions = [
        Question(
            url: "http://API.example.com./users/%37?x=1",
            lines: [
                "request GET api.example.com/users/7", "listener public martlet.yaml:2", "route user martlet.yaml:10",
                "methods GET", "host api.example.com", "path /users/{id}", "path.id 7",
                "middleware limit (rate_limit) martlet.yaml:8", "rewrite path becomes /v2/{path.id}",
                "upstream users martlet.yaml:5", "endpoint http://127.0.0.1:9000",
                "endpoint http://127.0.0.1:9001 weight 3 backup", "balance round_robin",
            ]),
        Question(
            method: "POST", url: "http://api.example.com:8080/users/7", isServed: false,
            lines: [
                "request POST api.example.com/users/7", "listener public martlet.yaml:2",
                "answer 405 method_not_allowed: GET, HEAD would match",
            ]),
        Question(
            url: "/users/7", fields: ["X-Version: 2"],
            lines: [
                "request GET localhost/users/7", "listener public martlet.yaml:2", "route second martlet.yaml:17",
                "methods any", "host any", "path /users/{id}", "if header x-version = 2; listener public", "path.id 7",
                "upstream http://127.0.0.1:9002 martlet.yaml:21", "endpoint http://127.0.0.1:9002",
            ]),
        Question(
            url: "/users/7", isServed: false,
            lines: [
                "request GET localhost/users/7", "listener public martlet.yaml:2",
                "answer 404 no_route: no route matches",
            ]),
        Question(
            url: "/old/a/../b",
            lines: [
                "request GET localhost/old/b", "listener public martlet.yaml:2", "route old martlet.yaml:22",
                "methods any", "host any", "path /old/{rest...}", "path.rest b",
                "answer redirect 308 to /new/{path.rest} martlet.yaml:22",
            ]),
        Question(
            url: "http://x:8081/inner",
            lines: [
                "request GET x/inner", "listener inner martlet.yaml:3", "route inner martlet.yaml:23", "methods any",
                "host any", "path /inner", "if listener inner", "answer respond 204 martlet.yaml:23",
            ]),
        Question(
            url: "/inner", isServed: false,
            lines: [
                "request GET localhost/inner", "listener public martlet.yaml:2",
                "answer 404 no_route: no route matches",
                "hint route inner matches on listener inner: --listener inner martlet.yaml:23",
            ]),
        Question(
            method: "OPTIONS", url: "*", isServed: false,
            lines: [
                "request OPTIONS * (host localhost)", "listener public martlet.yaml:2",
                "answer 404 no_route: no route matches",
            ]),
        Question(
            url: "/inner", listener: "inner",
            lines: [
                "request GET localhost/inner", "listener inner martlet.yaml:3", "route inner martlet.yaml:23",
                "methods any", "host any", "path /inner", "if listener inner", "answer respond 204 martlet.yaml:23",
            ]),
        Question(
            url: "/", fields: ["Host: api.example.com"], isServed: false,
            lines: [
                "request GET api.example.com/", "listener public martlet.yaml:2",
                "answer 404 no_route: no route matches",
            ]),
    ]

    private static func config() throws -> GatewayConfig {
        let result = ConfigurationLoader().inspect(text: file, name: "martlet.yaml")
        return try #require(result.config, "\(result.report())")
    }

    @Test("each part is told with its place in the file", arguments: questions)
    func explain(question: Question) throws {
        let request = try ExplainedRequest(method: question.method, url: question.url, fields: question.fields)
        let explanation = try Explanation.make(try Self.config(), request, listener: question.listener)
        let lines = explanation.text.split(separator: "\n").map { line in
            line.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
        }
        #expect(lines == question.lines)
        #expect(explanation.isServed == question.isServed)
    }

    @Test("a preflight is explained with the route whose cors answers it")
    func preflight() throws {
        let text = """
            listen: 127.0.0.1:8080
            middleware: { c: { cors: { origins: ["https://a.test"] } } }
            routes:
              - { name: api, path: /api, methods: [PUT], middleware: [c], respond: 200 }
              - { name: plain, path: /plain, methods: [PUT], respond: 200 }
            """
        let config = try #require(ConfigurationLoader().inspect(text: text, name: "martlet.yaml").config)
        let fields = ["Origin: https://a.test", "Access-Control-Request-Method: PUT"]
        for (path, fields, isServed) in [
            ("/api", fields, true), ("/api", [fields[1]], false), ("/plain", fields, false),
        ] {
            let request = try ExplainedRequest(method: "OPTIONS", url: path, fields: fields)
            #expect(try Explanation.make(config, request, listener: nil).isServed == isServed)
        }
    }

    @Test(
        "what the gateway refuses before routing is said",
        arguments: [
            ("/a%5cb", nil, 400), ("/a%2fb", "inner", 400), ("/../x", nil, 400),
        ] as [(String, String?, Int)])
    func refused(url: String, listener: String?, status: Int) throws {
        let config = try Self.config()
        let refusal = ExplainedRequest.Failure.refused(status: status, reason: "path_refused")
        #expect(throws: refusal) {
            let request = try ExplainedRequest(method: "GET", url: url, fields: [])
            _ = try Explanation.make(config, request, listener: listener)
        }
    }

    @Test(
        "a question that is none is refused",
        arguments: [
            ("GET", "foo", []), ("GET", "http://", []), ("GET", "/", ["x"]), ("GET", "/", ["a: b\r\nc: d"]),
            ("GET /x HTTP/1.1\r\nA: b\r\nX:", "/", []),
        ] as [(String, String, [String])])
    func nonsense(method: String, url: String, fields: [String]) {
        #expect(throws: ExplainedRequest.Failure.self) {
            _ = try ExplainedRequest(method: method, url: url, fields: fields)
        }
    }

    @Test("a listener that is not there is refused")
    func unknownListener() throws {
        let config = try Self.config()
        #expect(throws: ExplainedRequest.Failure.usage("there is no listener x")) {
            let request = try ExplainedRequest(method: "GET", url: "/", fields: [])
            _ = try Explanation.make(config, request, listener: "x")
        }
    }

    @Test("routes are a table with their places")
    func routes() throws {
        let lines = ConfigText.routes(try Self.config()).split(separator: "\n").map(String.init)
        #expect(lines.count == 5)
        #expect(lines[0].hasPrefix("ROUTE   METHODS  HOST             PATH"))
        #expect(lines[1].hasSuffix("martlet.yaml:10"))
        #expect(lines[2].contains("header x-version = 2; listener public"))
        #expect(lines.allSatisfy { !$0.hasSuffix(" ") })
    }
}
