import Client
import Testing

@Suite(.timeLimit(.minutes(2))) struct NameTests {
    private static func session(_ server: NameServer) throws -> ClientSession {
        var configuration = ClientSession.Configuration()
        configuration.nameServers = "127.0.0.1:\(server.port)"
        return try ClientSession(configuration)
    }

    @Test func `A name is asked for once and its address used`() async throws {
        let names = try NameServer()
        let server = try TestServer(answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        let session = try Self.session(names)
        try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<20 { group.addTask { try await session.get("http://UP.test:\(server.port)/").text() } }
            for try await text in group { #expect(text == "ok") }
        }
        #expect(server.requests.allSatisfy { $0.value("host") == "up.test:\(server.port)" })
        // One question for each family.
        #expect(names.questions.value <= 2)
    }

    @Test func `A name that does not exist is an error of its own`() async throws {
        let session = try Self.session(try NameServer())
        for _ in 0..<2 {
            await #expect(throws: ClientError.dnsError) { _ = try await session.get("http://down.test/") }
        }
    }

    @Test func `Waiting for a name can be cancelled, and ends with the session`() async throws {
        let names = try NameServer()
        let session = try Self.session(names)
        let task = Task { try await session.get("http://silent.test/") }
        task.cancel()
        await #expect(throws: CancellationError.self) { _ = try await task.value }
        let second = Task { try await session.get("http://silent.test/") }
        session.shutdown()
        await #expect(throws: ClientError.shutDown) { _ = try await second.value }
    }
}
