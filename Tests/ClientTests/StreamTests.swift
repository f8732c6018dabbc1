import Client
import Testing

@Suite(.timeLimit(.minutes(2))) struct StreamTests {
    /// Pieces that are made when they are asked for, and counted.
    private struct Pieces: AsyncSequence, Sendable {
        let count: Int
        let bytes: Int
        let made: Counter
        var failure: Broken?

        struct Broken: Error, Equatable {}

        struct Iterator: AsyncIteratorProtocol {
            let pieces: Pieces
            var made = 0

            mutating func next() async throws -> [UInt8]? {
                if made == pieces.count {
                    if let failure = pieces.failure { throw failure }
                    return nil
                }
                made += 1
                pieces.made.add()
                return [UInt8](repeating: UInt8(truncatingIfNeeded: made), count: pieces.bytes)
            }
        }

        func makeAsyncIterator() -> Iterator { Iterator(pieces: self) }
    }

    private static func echo() throws -> TestServer {
        try TestServer { connection, _ in
            while let request = try connection.receive() {
                let sum = request.body.reduce(0) { $0 + Int($1) }
                let answer = "\(request.body.count) \(sum)"
                try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(answer.utf8.count)\r\n\r\n\(answer)")
            }
        }
    }

    @Test(arguments: [nil, 0]) func `a stream without a piece is a request without content`(length: Int?) async throws {
        let server = try Self.echo()
        let session = try ClientSession()
        // The first one opens the connection, the others find it.
        for _ in 0..<3 {
            let pieces = Pieces(count: 0, bytes: 0, made: Counter())
            let response = try await session.post(server.url, body: .stream(pieces, length: length))
            #expect(try await response.text() == "0 0")
        }
    }

    @Test(arguments: [nil, 5 * 30_000] as [Int?])
    func `A streamed body arrives whole, chunked or with its length`(length: Int?) async throws {
        let server = try Self.echo()
        let session = try ClientSession()
        let made = Counter()
        let pieces = Pieces(count: 5, bytes: 30_000, made: made)
        let response = try await session.post(server.url, body: .stream(pieces, length: length))
        #expect(try await response.text() == "150000 \(30_000 * 15)")
        let request = try #require(server.requests.first)
        #expect(request.value("content-length") == length.map { "\($0)" })
        #expect(request.value("transfer-encoding") == (length == nil ? "chunked" : nil))
        _ = try await session.get(server.url).bytes()
        #expect(server.connections == 1)
    }

    @Test func `Pieces larger than a buffer and empty ones are sent as they are`() async throws {
        let server = try Self.echo()
        let session = try ClientSession()
        for (count, bytes) in [(1, 1_000_000), (3, 0), (0, 1), (1, 65_536), (2, 65_537)] {
            let response = try await session.post(
                server.url, body: .stream(Pieces(count: count, bytes: bytes, made: Counter())))
            let sum = (0...count).reduce(0, +) * bytes
            #expect(try await response.text() == "\(count * bytes) \(sum)")
        }
    }

    @Test func `A stream with another length than it says, or that fails, ends the request`() async throws {
        let server = try Self.echo()
        let session = try ClientSession()
        for (length, words) in [(5, "more"), (15, "fewer")] {
            let body = ClientBody.stream(Pieces(count: 1, bytes: 10, made: Counter()), length: length)
            await #expect(throws: ClientError.invalidRequest("the body has \(words) bytes than its length says")) {
                _ = try await session.post(server.url, body: body)
            }
        }
        let failing = Pieces(count: 1, bytes: 10, made: Counter(), failure: .init())
        await #expect(throws: Pieces.Broken()) { _ = try await session.post(server.url, body: .stream(failing)) }
        #expect(server.requests.isEmpty)
    }

    @Test func `A service that does not read holds the stream back`() async throws {
        let released = Counter()
        let server = try TestServer { connection, _ in
            _ = try connection.receiveHead()
            connection.holdOpen(until: released)
        }
        defer { released.add() }
        let session = try ClientSession()
        let made = Counter()
        var timeouts = ClientTimeouts()
        timeouts.bodyIdle = .milliseconds(100)
        let body = ClientBody.stream(Pieces(count: 2_048, bytes: 65_536, made: made))
        await #expect(throws: ClientError.writeTimeout) {
            _ = try await session.post(server.url, body: body, timeouts: timeouts)
        }
        // What the kernel holds for both ends, and no more: of 128 MiB.
        #expect((1..<1_024).contains(made.value))
    }

    @Test func `A body that nobody reads holds the service back, and arrives whole later`() async throws {
        let (events, event) = AsyncStream.makeStream(of: Void.self)
        let total = 96 * 1_024 * 1_024
        let server = try TestServer { connection, _ in
            _ = try connection.receive()
            try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(total)\r\n\r\n")
            defer { event.finish() }
            for _ in 0..<(total / 65_536) {
                try connection.send([UInt8](repeating: 0x61, count: 65_536)) { event.yield() }
            }
        }
        let session = try ClientSession()
        let response = try await session.get(server.url)
        // Comes when the service is held back; the stream ends without it when it never is.
        var iterator = events.makeAsyncIterator()
        #expect(await iterator.next() != nil)
        var count = 0
        for try await piece in response.body { count += piece.count }
        #expect(count == total)
    }

    @Test func `An answer may come before the request's body has ended`() async throws {
        let server = try TestServer { connection, _ in
            _ = try connection.receiveHead()
            try connection.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno")
            try connection.waitForEnd()
        }
        let session = try ClientSession()
        let (pieces, continuation) = AsyncStream.makeStream(of: [UInt8].self)
        continuation.yield([1, 2, 3])
        let response = try await session.post(server.url, body: .stream(pieces))
        #expect(response.status == 413)
        #expect(try await response.text() == "no")
    }
}
