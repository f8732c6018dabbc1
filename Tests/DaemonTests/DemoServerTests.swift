import Containers
import Digest
import Linux
import Net
import Testing

@testable import Daemon

/// Requests over a real socket against the demo upstream.
@Suite struct DemoServerTests {
    /// Sends bytes, ends our direction, and returns everything that comes back.
    private static func talk(_ bytes: String) throws -> String {
        let server = try DemoServer(listeningOn: .ip(.v4(0x7F00_0001), port: 0))
        let connection = try BlockingConnection.connect(to: server.address, timeoutMilliseconds: 20_000)
        server.acceptOne(milliseconds: 20_000)
        try connection.send(Array(bytes.utf8))
        connection.shutdownWrite()
        return String(decoding: try readAll(connection), as: UTF8.self)
    }

    struct Exchange: Sendable, CustomTestStringConvertible {
        var request: String
        var begins: String
        var holds: [String]
        var testDescription: String { String(request.prefix { $0 != "\r\n" }) }
    }

    static let exchanges = [
        Exchange(
            request: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", begins: "HTTP/1.1 200 OK\r\n",
            holds: ["Content-Type: application/json\r\n", "\"/echo\":"]),
        Exchange(
            request: "POST /echo/x?a=%22 HTTP/1.1\r\nHost: a\r\nX-Q: \"\\\r\nContent-Length: 3\r\n\r\nab\n",
            begins: "HTTP/1.1 200 OK\r\n",
            holds: [
                #""method": "POST""#, #""path": "/echo/x""#, #""query": "a=%22""#, #""x-q": "\"\\""#,
                #""body_bytes": 3"#,
                #""body": "ab\n""#,
            ]),
        Exchange(
            request:
                "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\nT: 1\r\n\r\n",
            begins: "HTTP/1.1 200 OK\r\n", holds: [#""body": "abc""#]),
        Exchange(
            request: "GET /headers HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nx-a: 2\r\n\r\n", begins: "HTTP/1.1 200 OK\r\n",
            holds: [#""x-a": "1, 2""#]),
        Exchange(
            request: "GET /delay/1 HTTP/1.1\r\nHost: a\r\n\r\n", begins: "HTTP/1.1 200 OK\r\n",
            holds: ["{\"delay_ms\": 1}\n"]),
        Exchange(
            request: "GET /bytes/5 HTTP/1.1\r\nHost: a\r\n\r\n", begins: "HTTP/1.1 200 OK\r\n",
            holds: ["Content-Length: 5\r\n", "\r\n\r\nxxxxx"]),
        Exchange(
            request: "HEAD /bytes/5 HTTP/1.1\r\nHost: a\r\n\r\n", begins: "HTTP/1.1 200 OK\r\n",
            holds: ["Content-Length: 5\r\n"]),
        Exchange(
            request: "GET /stream/2?interval=0 HTTP/1.1\r\nHost: a\r\n\r\n", begins: "HTTP/1.1 200 OK\r\n",
            holds: ["Transfer-Encoding: chunked\r\n", "c\r\nline 1 of 2\n\r\nc\r\nline 2 of 2\n\r\n0\r\n\r\n"]),
        Exchange(
            request: "GET /stream/1 HTTP/1.0\r\n\r\n", begins: "HTTP/1.1 200 OK\r\n",
            holds: ["Connection: close\r\n", "\r\n\r\nline 1 of 1\n"]),
        Exchange(
            request: "GET /sse?count=1 HTTP/1.1\r\nHost: a\r\n\r\n", begins: "HTTP/1.1 200 OK\r\n",
            holds: ["Content-Type: text/event-stream\r\n", "id: 1\nevent: tick\ndata: {\"number\": 1}\n\n"]),
        Exchange(request: "GET /status/503 HTTP/1.1\r\nHost: a\r\n\r\n", begins: "HTTP/1.1 503 ", holds: []),
        Exchange(request: "GET /status/99 HTTP/1.1\r\nHost: a\r\n\r\n", begins: "HTTP/1.1 400 ", holds: []),
        Exchange(
            request: "GET /bytes/99999999999999999999 HTTP/1.1\r\nHost: a\r\n\r\n", begins: "HTTP/1.1 400 ", holds: []),
        Exchange(request: "GET /ws HTTP/1.1\r\nHost: a\r\n\r\n", begins: "HTTP/1.1 426 ", holds: []),
        Exchange(request: "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", begins: "HTTP/1.1 404 ", holds: []),
        Exchange(request: "nonsense\r\n\r\n", begins: "HTTP/1.1 400 ", holds: ["Connection: close\r\n"]),
        Exchange(
            request: "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            begins: "HTTP/1.1 400 ", holds: []),
        Exchange(
            request: "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na",
            begins: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", holds: [#""body": "a""#]),
    ]

    @Test("each page answers as the list says", arguments: exchanges)
    func pages(exchange: Exchange) throws {
        let answer = try Self.talk(exchange.request)
        #expect(answer.hasPrefix(exchange.begins))
        for part in exchange.holds { #expect(answer.contains(part), "\(answer)") }
    }

    @Test("requests that come together are answered in order")
    func pipeline() throws {
        let answer = try Self.talk(
            "GET /status/201 HTTP/1.1\r\nHost: a\r\n\r\nGET /status/204 HTTP/1.1\r\nHost: a\r\n\r\n"
                + "GET /status/200 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        let statuses = answer.split(separator: "HTTP/1.1 ").map { $0.prefix(3) }
        #expect(statuses == ["201", "204", "200"])
    }

    @Test("a WebSocket gets its messages, pongs and its close back")
    func webSocket() throws {
        let server = try DemoServer(listeningOn: .ip(.v4(0x7F00_0001), port: 0))
        let connection = try BlockingConnection.connect(to: server.address, timeoutMilliseconds: 20_000)
        server.acceptOne(milliseconds: 20_000)
        try connection.send(
            Array(
                """
                GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n
                """.utf8))
        // Masked with zeros: a text in two frames around a ping, a binary of 300 bytes, a close.
        try connection.send([0x01, 0x81, 0, 0, 0, 0, 0x61, 0x89, 0x81, 0, 0, 0, 0, 0x70, 0x80, 0x81, 1, 1, 1, 1, 0x63])
        try connection.send([0x82, 0xFE, 1, 44, 0, 0, 0, 0] + [UInt8](repeating: 7, count: 300))
        try connection.send([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8])
        let bytes = try readAll(connection)
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"))
        let frames: [UInt8] =
            [0x01, 1, 0x61, 0x8A, 1, 0x70, 0x80, 1, 0x62, 0x82, 126, 1, 44] + [UInt8](repeating: 7, count: 300)
            + [0x88, 2, 0x03, 0xE8]
        #expect(Array(bytes.suffix(frames.count)) == frames)
    }

    @Test("an unmasked frame closes a WebSocket with 1002")
    func unmasked() throws {
        let server = try DemoServer(listeningOn: .ip(.v4(0x7F00_0001), port: 0))
        let connection = try BlockingConnection.connect(to: server.address, timeoutMilliseconds: 20_000)
        server.acceptOne(milliseconds: 20_000)
        try connection.send(
            Array(
                """
                GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n
                """.utf8) + [0x81, 1, 0x61])
        #expect(Array(try readAll(connection).suffix(4)) == [0x88, 2, 0x03, 0xEA])
    }

    @Test(
        "base64 has its padding",
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ])
    func base64(text: String, expected: String) {
        #expect(Base64.encode(Array(text.utf8).span) == Array(expected.utf8))
    }
}
