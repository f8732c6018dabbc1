import Client
import Linux
import Net
import Testing

@Suite(.timeLimit(.minutes(2))) struct FailureTests {
    private static func timeouts(_ change: (inout ClientTimeouts) -> Void) -> ClientTimeouts {
        var timeouts = ClientTimeouts()
        change(&timeouts)
        return timeouts
    }

    @Test func `A refused connection is an error of its own`() async throws {
        let port = try TestServer(answer: "").port
        let listener = try Socket.listen(on: .ip(.v4(0x7F00_0001), port: 0), backlog: 1)
        guard case .ip(_, let free) = try Socket.localAddress(listener.number) else { return }
        _ = consume listener
        let session = try ClientSession()
        await #expect(throws: ClientError.connectionRefused) { _ = try await session.get("http://127.0.0.1:\(free)/") }
        #expect(ClientError.connectionRefused.code == "connection_refused")
        #expect(port > 0)
    }

    @Test func `No answer in time`() async throws {
        let server = try TestServer { connection, _ in try connection.waitForEnd() }
        let session = try ClientSession()
        let response = Self.timeouts { $0.response = .milliseconds(30) }
        await #expect(throws: ClientError.responseTimeout) { _ = try await session.get(server.url, timeouts: response) }
        let total = ClientTimeouts(total: .milliseconds(30))
        await #expect(throws: ClientError.totalTimeout) { _ = try await session.get(server.url, timeouts: total) }
    }

    @Test func `The answer stops in its middle`() async throws {
        let server = try TestServer { connection, _ in
            _ = try connection.receive()
            try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
            try connection.waitForEnd()
        }
        let session = try ClientSession()
        let response = try await session.get(server.url, timeouts: Self.timeouts { $0.bodyIdle = .milliseconds(50) })
        var received: [UInt8] = []
        await #expect(throws: ClientError.responseBodyTimeout) {
            for try await piece in response.body { received += piece }
        }
        #expect(received == Array("hello".utf8))
    }

    @Test func `No connection becomes free in time`() async throws {
        let server = try TestServer { connection, _ in
            _ = try connection.receive()
            try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
            try connection.waitForEnd()
        }
        var configuration = ClientSession.Configuration()
        configuration.maxConnectionsPerOrigin = 1
        configuration.maxPendingPerOrigin = 1
        configuration.timeouts.queue = .milliseconds(30)
        let session = try ClientSession(configuration)
        let first = try await session.get(server.url)
        await #expect(throws: ClientError.queueTimeout) { _ = try await session.get(server.url) }
        #expect(first.status == 200)
        configuration.maxPendingPerOrigin = 0
        let strict = try ClientSession(configuration)
        let second = try await strict.get(server.url)
        await #expect(throws: ClientError.connectionLimitReached) { _ = try await strict.get(server.url) }
        #expect(second.status == 200)
    }

    @Test func `A connection that does not stand in time`() async throws {
        let listener = try Socket.listen(on: .ip(.v4(0x7F00_0001), port: 0), backlog: 0)
        let address = try Socket.localAddress(listener.number)
        guard case .ip(_, let port) = address else { return }
        // Nobody accepts: the kernel's queue is full after these, and it drops further attempts.
        var isPending = false
        let first = try Socket.connect(to: address, isPending: &isPending)
        let second = try Socket.connect(to: address, isPending: &isPending)
        let third = try Socket.connect(to: address, isPending: &isPending)
        let session = try ClientSession()
        let timeouts = Self.timeouts { $0.connect = .milliseconds(50) }
        await #expect(throws: ClientError.connectionTimeout) {
            _ = try await session.get("http://127.0.0.1:\(port)/", timeouts: timeouts)
        }
        _ = (first.number, second.number, third.number)
    }

    @Test func `A service that does not take the request`() async throws {
        let released = Counter()
        let server = try TestServer { connection, _ in
            _ = try connection.receiveHead()
            connection.holdOpen(until: released)
        }
        defer { released.add() }
        let session = try ClientSession()
        let timeouts = Self.timeouts { $0.bodyIdle = .milliseconds(50) }
        let body = ClientBody.bytes([UInt8](repeating: 0, count: 64 * 1_024 * 1_024))
        await #expect(throws: ClientError.writeTimeout) {
            _ = try await session.post(server.url, body: body, timeouts: timeouts)
        }
    }

    @Test(arguments: [
        ("garbage\r\n\r\n", ClientError.responseInvalid),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", .responseInvalid),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", .responseInvalid),
        ("HTTP/1.1 200 OK\r\nBad Name: 1\r\n\r\n", .responseInvalid),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", .responseInvalid),
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", .responseInvalid),
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", .responseIncomplete),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", .responseIncomplete),
        ("HTTP/1.1 200 OK\r\nContent-Le", .responseIncomplete),
        (String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: 20), .tooManyInterim),
        ("HTTP/1.1 200 OK\r\nX: " + String(repeating: "a", count: 70_000) + "\r\n\r\n", .responseHeadersTooLarge),
        ("", .connectionTerminated),
    ])
    func `Answers that are not whole and valid are errors`(answer: String, error: ClientError) async throws {
        let server = try TestServer { connection, _ in
            guard try connection.receive() != nil else { return }
            try connection.send(answer)
        }
        let session = try ClientSession()
        await #expect(throws: error) { _ = try await session.post(server.url, body: .none).bytes() }
        #expect(server.requests.count == 1)
    }

    @Test func `Cancelling the task closes the connection`() async throws {
        let (events, event) = AsyncStream.makeStream(of: String.self)
        let server = try TestServer { connection, _ in
            _ = try connection.receive()
            event.yield("asked")
            try connection.waitForEnd()
            event.yield("closed")
        }
        let session = try ClientSession()
        let task = Task { try await session.get(server.url) }
        var iterator = events.makeAsyncIterator()
        #expect(await iterator.next() == "asked")
        task.cancel()
        await #expect(throws: CancellationError.self) { _ = try await task.value }
        #expect(await iterator.next() == "closed")
        await #expect(throws: CancellationError.self) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.cancelAll()
                group.addTask { _ = try await session.get(server.url) }
                try await group.waitForAll()
            }
        }
    }

    @Test func `An answer that is let go closes its connection`() async throws {
        let (events, event) = AsyncStream.makeStream(of: String.self)
        let server = try TestServer { connection, _ in
            _ = try connection.receive()
            try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
            try connection.waitForEnd()
            event.yield("closed")
        }
        let session = try ClientSession()
        #expect(try await session.get(server.url).status == 200)
        var iterator = events.makeAsyncIterator()
        #expect(await iterator.next() == "closed")
    }

    @Test func `A body beyond the limit is an error`() async throws {
        let server = try TestServer(answer: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell\u{7F}")
        let session = try ClientSession()
        await #expect(throws: ClientError.bodyTooLarge(limit: 4)) {
            _ = try await session.get(server.url).bytes(limit: 4)
        }
        #expect(try await session.get(server.url).bytes(limit: 5).count == 5)
        let binary = try TestServer { connection, _ in
            while try connection.receive() != nil {
                try connection.send(Array("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n".utf8) + [0xFF])
            }
        }
        await #expect(throws: ClientError.invalidText) { _ = try await session.get(binary.url).text() }
        await #expect(throws: DecodingError.self) { _ = try await session.get(server.url).json(as: [Int].self) }
    }

    @Test func `Shutting down ends requests that run and refuses later ones`() async throws {
        let (events, event) = AsyncStream.makeStream(of: Void.self)
        let server = try TestServer { connection, _ in
            _ = try connection.receive()
            event.yield()
            try connection.waitForEnd()
        }
        let session = try ClientSession()
        let task = Task { try await session.get(server.url) }
        var iterator = events.makeAsyncIterator()
        await iterator.next()
        session.shutdown()
        await #expect(throws: ClientError.shutDown) { _ = try await task.value }
        await #expect(throws: ClientError.shutDown) { _ = try await session.get(server.url) }
    }
}
