import Client
import HTTPTypes
import Testing

@Suite(.timeLimit(.minutes(2))) struct RequestTests {
    private struct User: Codable, Equatable {
        var id: Int
        var name: String
    }

    private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\nX-A: 2\r\n\r\nok"

    @Test func `GET sends one request in normal form and brings status, fields and body`() async throws {
        let server = try TestServer(answer: Self.ok)
        let session = try ClientSession()
        let response = try await session.get(
            "\(server.url)/a%20b?x=1#part", query: [("q", "ä &="), ("empty", "")], headers: [.accept: "text/plain"])
        #expect(response.status == 200)
        #expect(response.headers[values: .init("X-A")!] == ["1", "2"])
        #expect(response.headers[.contentLength] == "2")
        #expect(try await response.text() == "ok")
        let request = try #require(server.requests.first)
        #expect(
            request.lines == [
                "GET /a%20b?x=1&q=%C3%A4%20%26%3D&empty= HTTP/1.1", "Host: 127.0.0.1:\(server.port)",
                "Accept: text/plain",
            ])
    }

    @Test func `POST sends a value as JSON and reads one`() async throws {
        let server = try TestServer { connection, _ in
            while let request = try connection.receive() {
                try connection.send(
                    "HTTP/1.1 201 Created\r\nContent-Length: \(request.body.count)\r\n\r\n\(request.text)")
            }
        }
        let session = try ClientSession()
        let user = User(id: 7, name: "Änne")
        let response = try await session.post("\(server.url)/users", json: user)
        #expect(response.status == 201)
        #expect(try await response.json(as: User.self) == user)
        #expect(server.requests.first?.value("content-type") == "application/json")
        #expect(server.requests.first?.line == "POST /users HTTP/1.1")
        let form = try await session.post("\(server.url)/form", body: .form([("a b", "1&2"), ("c", "")]))
        #expect(try await form.text() == "a%20b=1%262&c=")
        let large = [UInt8](repeating: 0x61, count: 3_000_000)
        #expect(try await session.post(server.url, body: .bytes(large)).bytes() == large)
    }

    @Test func `Headers of the session are sent unless the request has them`() async throws {
        let server = try TestServer(answer: Self.ok)
        var configuration = ClientSession.Configuration()
        configuration.headers = [.userAgent: "test/1", .accept: "*/*"]
        let session = try ClientSession(configuration)
        _ = try await session.get(server.url, headers: [.accept: "text/css"]).bytes()
        #expect(server.requests.first?.value("user-agent") == "test/1")
        #expect(server.requests.first?.value("accept") == "text/css")
        #expect(server.requests.first?.line == "GET / HTTP/1.1")
    }

    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=1\r\nlo\r\n0\r\nT: 1\r\n\r\n", 200,
            "hello"
        ),
        (
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200,
            "hello"
        ),
        ("HTTP/1.0 200 OK\r\n\r\nhello", 200, "hello"),
        ("HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
        ("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", 302, ""),
        ("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy", 503, "busy"),
    ])
    func `Every framing of an answer is read`(answer: String, status: Int, body: String) async throws {
        let server = try TestServer { connection, _ in
            guard try connection.receive() != nil else { return }
            // In single bytes: the answer may come in any pieces.
            for byte in answer.utf8 { try connection.send([byte]) }
        }
        let session = try ClientSession()
        let response = try await session.get(server.url)
        #expect(response.status == status)
        #expect(try await response.text() == body)
    }

    @Test func `HEAD has no body whatever the length says`() async throws {
        let server = try TestServer(answer: "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        let session = try ClientSession()
        for _ in 0..<2 {
            let response = try await session.request(.head, server.url)
            #expect(response.headers[.contentLength] == "1000")
            #expect(try await response.bytes() == [])
        }
        #expect(server.connections == 1)
    }

    @Test func `Connections are kept and used again`() async throws {
        let server = try TestServer(answer: Self.ok)
        let session = try ClientSession()
        for _ in 0..<20 { _ = try await session.get(server.url).bytes() }
        #expect(server.requests.count == 20)
        #expect(server.connections == 1)
        #expect(try await session.get("http://localhost:\(server.port)/").text() == "ok")
    }

    @Test func `Many tasks share a bounded number of connections`() async throws {
        let (running, most) = (Counter(), Counter())
        let server = try TestServer { connection, _ in
            while try connection.receive() != nil {
                most.note(running.add())
                running.add(-1)
                try connection.send(Self.ok)
            }
        }
        var configuration = ClientSession.Configuration()
        configuration.maxConnectionsPerOrigin = 4
        let session = try ClientSession(configuration)
        try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<200 { group.addTask { try await session.get(server.url).text() } }
            for try await text in group { #expect(text == "ok") }
        }
        #expect(server.requests.count == 200)
        #expect((1...4).contains(most.value))
        // Most of them went over connections that stood.
        #expect(server.connections < 100)
    }

    @Test func `A kept connection that died is replaced once, for requests that may be repeated`() async throws {
        let server = try TestServer { connection, _ in
            guard try connection.receive() != nil else { return }
            try connection.send(Self.ok)
            // Read and never answered.
            _ = try connection.receive()
        }
        let session = try ClientSession()
        _ = try await session.get(server.url).bytes()
        #expect(try await session.get(server.url).text() == "ok")
        #expect(server.connections == 2)
        await #expect(throws: ClientError.connectionTerminated) {
            _ = try await session.post(server.url, body: .text("x"))
        }
        #expect(server.connections == 2)
    }

    @Test(arguments: [
        "https://127.0.0.1/", "127.0.0.1:80", "http://", "http://a b/", "http://u:p@127.0.0.1/", "http://127.0.0.1/a b",
        "http://127.0.0.1/%zz", "http://127.0.0.1/\r\nX: 1", "http://127.0.0.1/ä", "http://127.0.0.1:99999/",
        "unix:run/x",
        "", "http://127.0.0.1:0/", "ftp://127.0.0.1/",
    ])
    func `URLs that are not valid are refused`(url: String) async throws {
        let session = try ClientSession()
        await #expect {
            _ = try await session.get(url)
        } throws: { error in
            if case ClientError.invalidURL = error { return true }
            return false
        }
    }

    @Test(arguments: ["Host", "Content-Length", "Transfer-Encoding", "Connection", "Expect", "Upgrade", "TE"])
    func `Fields of framing and connection are not the caller's`(name: String) async throws {
        let session = try ClientSession()
        let field = HTTPField(name: try #require(.init(name)), value: "x")
        await #expect(throws: ClientError.invalidRequest("`\(name)` cannot be set as a field")) {
            _ = try await session.get("http://127.0.0.1:1/", headers: HTTPFields([field]))
        }
    }
}
