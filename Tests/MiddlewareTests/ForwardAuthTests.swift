import Config
import HTTP
import Net
import Testing

@testable import Middleware

@Suite struct ForwardAuthTests {
    private static func config() -> MiddlewareConfig {
        var config = ForwardAuthConfig(upstream: "auth")
        config.path = "/check"
        config.copyHeaders = ["X-User", "X-Groups"]
        config.requestHeaders = ["authorization", "cookie", "x-forwarded-for", "connection", "x-extra"]
        config.timeout = .seconds(2)
        return .forwardAuth(config)
    }

    private static let lines = [
        "POST /a%2Fb?q=1 HTTP/1.1", "Host: Api.test:8080", "Authorization: t1", "Cookie: a=1", "cookie: b=2",
        "X-Forwarded-For: 1.2.3.4", "X-Secret: no", "x_user: root", "X.GROUPS: admins", "Keep: yes",
    ]

    @Test func `The subrequest is made from scratch`() async throws {
        let sender = FakeSender(SubrequestResponse(status: 200))
        let pipeline = try Pipeline(Self.config(), sender: sender)
        var request = TestHeads.request(Self.lines, client: .v6(0x2001_0db8_0000_0000, 1))
        #expect(await pipeline.answer(&request).status == nil)
        let sent = try #require(sender.sent.first)
        #expect(sent.upstream == "auth" && sent.method == "GET" && sent.target == "/check")
        #expect(sent.timeout == .seconds(2) && sent.bodyLimit == 65_536)
        #expect(
            sent.headers.map { "\($0.name): \(String(decoding: $0.value, as: UTF8.self))" } == [
                "authorization: t1", "cookie: a=1", "cookie: b=2", "X-Forwarded-Method: POST",
                "X-Forwarded-Uri: /a%2Fb?q=1", "X-Forwarded-Host: Api.test:8080", "X-Forwarded-Port: 8080",
                "X-Forwarded-Proto: http",
                "X-Forwarded-For: 2001:db8::1", "X-Request-Id: 0123456789abcdef0123456789abcdef",
            ])
    }

    @Test func `What a trusted peer said of the host and the port goes on`() async throws {
        let sender = FakeSender(SubrequestResponse(status: 200), SubrequestResponse(status: 200))
        let pipeline = try Pipeline(Self.config(), sender: sender)
        _ = await pipeline.answer(Self.lines + ["x-forwarded-host: shop.test", "X-Forwarded-Port: 443"])
        _ = await pipeline.answer(["GET / HTTP/1.0"])
        let sent = sender.sent.map { request in
            request.headers.filter { ["X-Forwarded-Host", "X-Forwarded-Port"].contains($0.name) }
        }
        #expect(sent.first == [MessageField("X-Forwarded-Host", "shop.test"), MessageField("X-Forwarded-Port", "443")])
        #expect(sent.last == [MessageField("X-Forwarded-Port", "8080")])
    }

    @Test func `Nobody guesses a port beside https or a client without an address`() async throws {
        let sender = FakeSender(SubrequestResponse(status: 200))
        let pipeline = try Pipeline(Self.config(), sender: sender)
        var request = TestHeads.request(["GET / HTTP/1.1", "Host: a.test"], client: .v4(0))
        request.isSecure = true
        _ = await pipeline.answer(&request)
        #expect(
            sender.sent.first?.headers.map(\.name) == [
                "X-Forwarded-Method", "X-Forwarded-Uri", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Request-Id",
            ])
        #expect(sender.sent.first?.headers.contains(MessageField("X-Forwarded-Proto", "https")) == true)
    }

    @Test func `Copied fields come from the answer or not at all`() async throws {
        let sender = FakeSender(
            SubrequestResponse(status: 204, headers: [MessageField("x-user", "anna"), MessageField("X-Other", "no")]),
            SubrequestResponse(status: 200, headers: [MessageField("X-Groups", "a"), MessageField("x-groups", "b")]))
        let pipeline = try Pipeline(Self.config(), sender: sender)
        let first = await pipeline.answer(Self.lines).upstream
        #expect(first.suffix(2) == ["Keep: yes", "X-User: anna"])
        #expect(!first.contains { $0.lowercased().contains("root") || $0.lowercased().contains("admins") })
        #expect(await pipeline.answer(Self.lines).upstream.suffix(2) == ["Keep: yes", "X-Groups: a, b"])
    }

    @Test(arguments: [100, 101, 199, 300, 304, 305, 400, 404, 407, 429, 500, 502, 503, 600])
    func `Every other status fails closed`(status: Int) async throws {
        let pipeline = try Pipeline(Self.config(), sender: FakeSender(SubrequestResponse(status: status)))
        let answer = await pipeline.answer(Self.lines)
        #expect(answer.status == 503 && answer.reply?.code == .middlewareFailed)
    }

    @Test func `No answer and too long an answer fail closed`() async throws {
        #expect(try await Pipeline(Self.config()).answer(Self.lines).status == 503)
        let long = SubrequestResponse(status: 200, body: [UInt8](repeating: 0, count: 65_537))
        #expect(try await Pipeline(Self.config(), sender: FakeSender(long)).answer(Self.lines).status == 503)
    }

    private struct Failure: SubrequestFailure { let isTimeout: Bool }

    private struct FailingSender: SubrequestSender {
        let error: any Error
        func send(_ request: Subrequest) async throws -> SubrequestResponse { throw error }
    }

    @Test func `Only time that ran out is told apart`() async throws {
        for (error, code) in [
            (Failure(isTimeout: true), ErrorCode.middlewareTimeout), (Failure(isTimeout: false), .middlewareFailed),
            (CancellationError(), .middlewareFailed),
        ] as [(any Error, ErrorCode)] {
            let answer = try await Pipeline(Self.config(), sender: FailingSender(error: error)).answer(Self.lines)
            #expect(answer.status == 503 && answer.reply?.code == code)
        }
    }

    @Test(arguments: [301, 302, 303, 307, 308, 401, 403])
    func `Redirects and refusals go back to the client without the connection's fields`(status: Int) async throws {
        let answer = SubrequestResponse(
            status: status,
            headers: [
                MessageField("Location", "https://login.test/"), MessageField("Set-Cookie", "a=1"),
                MessageField("set-cookie", "b=2"), MessageField("Content-Type", "text/x"),
                MessageField("Content-Length", "5"), MessageField("Connection", "close, X-Hop"),
                MessageField("x-hop", "1"),
                MessageField("Transfer-Encoding", "chunked"), MessageField("Date", "now"),
                MessageField("Bad Name", "x"),
                MessageField("WWW-Authenticate", "Basic"), MessageField("X-Bytes", [0xFF]),
            ], body: Array("login".utf8))
        let pipeline = try Pipeline(Self.config(), sender: FakeSender(answer))
        let reply = try #require(await pipeline.answer(Self.lines).reply)
        #expect(reply.status == status && reply.body == Array("login".utf8) && reply.contentType == "text/x")
        #expect(
            reply.headers.map { "\($0.name): \($0.value)" } == [
                "Location: https://login.test/", "Set-Cookie: a=1", "set-cookie: b=2", "WWW-Authenticate: Basic",
            ])
        #expect(reply.code == (status == 401 ? .unauthorized : status == 403 ? .forbidden : .none))
    }

    @Test func `A field of the answer that cannot be sent fails closed`() async throws {
        let answer = SubrequestResponse(status: 200, headers: [MessageField("X-User", "a\r\nX-Admin: 1")])
        #expect(try await Pipeline(Self.config(), sender: FakeSender(answer)).answer(Self.lines).status == 503)
    }
}
