import Client
import Config
import Middleware
import Proxy
import Telemetry
import Testing

@Suite(.timeLimit(.minutes(2))) struct GatewayClientTests {
    /// A gateway without listeners and with one upstream.
    private static func gateway(_ url: String, _ change: (inout UpstreamConfig) -> Void = { _ in }) throws -> (
        Gateway, GatewayClient
    ) {
        var upstream = UpstreamConfig(name: "auth", location: Location(file: "", line: 1, column: 1))
        upstream.endpoints = [try UpstreamConfig.Endpoint(parsing: url)]
        change(&upstream)
        var config = GatewayConfig()
        config.upstreams = [upstream]
        config.accessLog = nil
        let port = CallPort()
        let client = GatewayClient(port: port)
        let gateway = Gateway(
            workers: 2, connectionsLimit: 256, kinds: MiddlewareKinds(), subrequests: client,
            log: AccessLog(LogSinks()),
            calls: port)
        try gateway.start(config, sockets: [])
        return (gateway, client)
    }

    private static func subrequest(_ target: String = "/check?x=1", limit: Int = 100, timeout: Duration = .seconds(10))
        -> Subrequest
    {
        Subrequest(upstream: "auth", target: target, timeout: timeout, bodyLimit: limit)
    }

    private static func stop(_ gateway: Gateway) {
        gateway.stop()
        gateway.waitUntilStopped()
    }

    @Test func `A subrequest goes to the named upstream and brings its answer`() async throws {
        let server = try TestServer(
            answer:
                "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nConnection: x-hop\r\nX-Hop: 1\r\nContent-Length: 2\r\n\r\nno"
        )
        let (gateway, client) = try Self.gateway(server.url)
        defer { Self.stop(gateway) }
        var request = Self.subrequest()
        request.headers = [
            MessageField("X-A", "1"), MessageField("Host", "evil"), MessageField("Content-Length", "5"),
            MessageField("Transfer-Encoding", "chunked"), MessageField("X-B", "2"),
        ]
        let answer = try await client.send(request)
        #expect(answer.status == 401)
        #expect(answer.headers == [MessageField("WWW-Authenticate", "Basic")])
        #expect(answer.body == Array("no".utf8))
        #expect(
            server.requests.first?.lines == [
                "GET /check?x=1 HTTP/1.1", "Host: 127.0.0.1:\(server.port)", "X-A: 1", "X-B: 2",
            ])
        // One connection for each worker at most, whatever the number of requests.
        for _ in 0..<10 { _ = try await client.send(request) }
        #expect(server.connections <= 2)
    }

    @Test func `The upstream's Host policy counts`() async throws {
        let server = try TestServer(answer: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        let (gateway, client) = try Self.gateway(server.url) { $0.host = .name("auth.internal") }
        defer { Self.stop(gateway) }
        #expect(try await client.send(Self.subrequest()).status == 200)
        #expect(server.requests.first?.value("host") == "auth.internal")
    }

    @Test func `Everything that is no complete answer throws`() async throws {
        let server = try TestServer { connection, _ in
            while let request = try connection.receive() {
                switch request.line {
                case "GET /large HTTP/1.1":
                    try connection.send(
                        "HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n" + String(repeating: "a", count: 101))
                case "GET /cut HTTP/1.1":
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
                    return
                default: try connection.waitForEnd()
                }
            }
        }
        let (gateway, client) = try Self.gateway(server.url)
        await #expect(throws: ClientError.bodyTooLarge(limit: 100)) {
            _ = try await client.send(Self.subrequest("/large"))
        }
        await #expect(throws: ClientError.responseIncomplete) { _ = try await client.send(Self.subrequest("/cut")) }
        await #expect(throws: ClientError.totalTimeout) {
            _ = try await client.send(Self.subrequest("/slow", timeout: .milliseconds(30)))
        }
        await #expect(throws: ClientError.invalidRequest("the target is not valid")) {
            _ = try await client.send(Self.subrequest("a b"))
        }
        var request = Self.subrequest()
        request.upstream = "other"
        await #expect(throws: ClientError.unknownUpstream("other")) { _ = try await client.send(request) }
        Self.stop(gateway)
        await #expect(throws: ClientError.shutDown) { _ = try await client.send(Self.subrequest()) }
        await #expect(throws: ClientError.shutDown) {
            _ = try await GatewayClient(port: CallPort()).send(Self.subrequest())
        }
    }

    @Test func `Calls that wait for a permit of a busy upstream get it in turn`() async throws {
        let server = try TestServer(answer: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        let (gateway, client) = try Self.gateway(server.url) { $0.pool.maxConnections = 1 }
        defer { Self.stop(gateway) }
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<100 { group.addTask { try await client.send(Self.subrequest()).status } }
            for try await status in group { #expect(status == 200) }
        }
        #expect(server.requests.count == 100)
    }
}
