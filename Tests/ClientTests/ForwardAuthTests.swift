import Client
import Config
import HTTPTypes
import Linux
import Middleware
import Net
import Proxy
import Telemetry
import Testing

/// `forward_auth` through a whole gateway, with services that tests serve byte by byte.
@Suite(.timeLimit(.minutes(2))) struct ForwardAuthTests {
    /// A gateway in front of a service, and what asks it.
    private final class Setup {
        let service: TestServer
        let auth: TestServer
        let session: ClientSession
        let url: String
        private let gateway: Gateway

        init(_ answer: @escaping @Sendable (inout TestConnection, ReceivedRequest) throws -> Void) throws {
            service = try TestServer(answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nin")
            auth = try TestServer { connection, _ in
                while let request = try connection.receive() { try answer(&connection, request) }
            }
            let text = """
                listen: 127.0.0.1:1
                access_log: off
                middleware:
                  login:
                    forward_auth:
                      { upstream: "\(auth.url)", path: /check, timeout: 500ms, request_headers: [authorization], copy_headers: [X-User] }
                routes:
                  - { path: /*, middleware: login, upstream: "\(service.url)" }
                """
            let config = try #require(ConfigLoader.load(text: text, name: "test", customKinds: []).config)
            let socket = try Socket.listen(on: .ip(.v4(0x7F00_0001), port: 0), backlog: 64)
            guard case .ip(_, let port) = try Socket.localAddress(socket.number) else { throw TestConnection.Broken() }
            let calls = CallPort()
            gateway = Gateway(
                workers: 2, connectionsLimit: 256, kinds: MiddlewareKinds(), subrequests: GatewayClient(port: calls),
                log: AccessLog(LogSinks()), calls: calls)
            let name = try #require(config.listeners.first?.name)
            try gateway.start(
                config, sockets: [ListenerSocket(listener: name, descriptor: socket.release(), port: port)])
            session = try ClientSession()
            url = "http://127.0.0.1:\(port)"
        }

        deinit {
            gateway.stop()
            gateway.waitUntilStopped()
        }
    }

    @Test func `A request that the service allows goes on with the fields of the answer, not with the client's`()
        async throws
    {
        let setup = try Setup { connection, _ in
            try connection.send("HTTP/1.1 200 OK\r\nX-User: anna\r\nX-Other: 1\r\nContent-Length: 0\r\n\r\n")
        }
        let headers: HTTPFields = [
            .authorization: "Bearer t", .cookie: "c=1", .init("X-User")!: "root", .init("X_User")!: "root",
        ]
        let response = try await setup.session.post("\(setup.url)/a?b=1", body: .text("hello"), headers: headers)
        #expect(response.status == 200)
        #expect(try await response.text() == "in")
        let asked = try #require(setup.auth.requests.first)
        #expect(asked.line == "GET /check HTTP/1.1")
        #expect(asked.value("authorization") == "Bearer t")
        #expect(asked.value("cookie") == nil && asked.value("content-length") == nil && asked.body.isEmpty)
        #expect(asked.value("x-forwarded-method") == "POST" && asked.value("x-forwarded-uri") == "/a?b=1")
        let served = try #require(setup.service.requests.first)
        #expect(served.text == "hello")
        let names = served.lines.compactMap { $0.split(separator: ":").first?.lowercased() }
        #expect(
            names.filter { $0 == "x-user" } == ["x-user"] && !names.contains("x_user") && !names.contains("x-other"))
        #expect(served.value("x-user") == "anna")
    }

    @Test(arguments: [
        ("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 2\r\n\r\nno", 401, "no"),
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", 403, ""),
        ("HTTP/1.1 302 Found\r\nLocation: /login\r\nTransfer-Encoding: chunked\r\n\r\n2\r\ngo\r\n0\r\n\r\n", 302, "go"),
    ])
    func `What the service does not allow is answered with its answer`(answer: String, status: Int, body: String)
        async throws
    {
        let setup = try Setup { connection, _ in try connection.send(answer) }
        let response = try await setup.session.get(setup.url)
        #expect(response.status == status)
        #expect(response.headers[.wwwAuthenticate] == (status == 401 ? "Bearer" : nil))
        #expect(response.headers[.location] == (status == 302 ? "/login" : nil))
        let text = try await response.text()
        if !body.isEmpty { #expect(text == body) }
        #expect(setup.service.requests.isEmpty)
    }

    @Test(arguments: [
        "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\ncut",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + String(repeating: "a", count: 70_000),
        "garbage\r\n\r\n",
        "",
    ])
    func `Without a complete answer in time nobody gets in`(answer: String) async throws {
        let setup = try Setup { connection, _ in
            try connection.send(answer)
            throw TestConnection.Broken()
        }
        let response = try await setup.session.get(setup.url)
        #expect(response.status == 503)
        #expect(response.headers[.contentType] == "application/problem+json")
        #expect(
            try await response.text().utf8.split(separator: 0x22).contains {
                $0.elementsEqual("middleware_failed".utf8)
            })
        #expect(setup.service.requests.isEmpty)
    }

    @Test(arguments: ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"])
    func `An answer that does not come in time has a code of its own`(answer: String) async throws {
        let setup = try Setup { connection, _ in
            try connection.send(answer)
            try connection.waitForEnd()
        }
        let response = try await setup.session.get(setup.url)
        #expect(response.status == 503)
        let field = try #require(response.headers[HTTPField.Name("Proxy-Status")!])
        #expect(field.contains("middleware_timeout"))
        #expect(
            try await response.text().utf8.split(separator: 0x22).contains {
                $0.elementsEqual("middleware_timeout".utf8)
            })
        #expect(setup.service.requests.isEmpty)
    }
}
