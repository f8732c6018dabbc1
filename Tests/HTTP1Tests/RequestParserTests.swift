import Containers
import HTTP
import HTTP1
import Testing

@Suite struct RequestParserTests {
    /// Parses a whole head and hands it over with a function that reads its ranges.
    private func withHead(
        _ text: String, parser: RequestParser = RequestParser(),
        _ body: (borrowing RequestHead, (ByteRange) -> String) -> Void
    ) throws {
        let bytes = Array(text.utf8)
        var head = RequestHead()
        #expect(try parser.parse(bytes.span, into: &head))
        body(head) { range in String(decoding: bytes[range.range], as: UTF8.self) }
    }

    @Test func `Ranges point at what they name`() throws {
        try withHead("\r\nGET /a/b?c=d&e HTTP/1.1\r\nHost: h.test:81\r\nX-Y:  z z \r\n\r\nrest") { head, read in
            #expect(head.method == .get && read(head.methodRange) == "GET")
            #expect(read(head.target) == "/a/b?c=d&e" && read(head.path) == "/a/b" && head.form == .origin)
            #expect(head.query.map(read) == "c=d&e")
            #expect(read(head.authority) == "h.test:81")
            #expect(head.fields.count == 2)
            #expect(head.fields[0].known == .host && head.fields[0].isRemoved)
            #expect(read(head.fields[1].name) == "X-Y" && read(head.fields[1].value) == "z z")
            #expect(head.byteCount == 58 && head.minorVersion == 1 && head.keepAlive)
        }
    }

    @Test func `An absolute target gives authority, path and query`() throws {
        try withHead("GET http://h.test:81?x HTTP/1.1\r\nHost: other\r\n\r\n") { head, read in
            #expect(head.form == .absolute && read(head.authority) == "h.test:81")
            #expect(head.path.isEmpty && head.query.map(read) == "x")
        }
    }

    @Test func `A head is reused without traces of the last one`() throws {
        var head = RequestHead()
        let first = Array(
            """
            GET http://a/?q HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade, te\r\nTE: trailers\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n
            """.utf8)
        #expect(try RequestParser().parse(first.span, into: &head))
        #expect(head.isWebSocketHandshake && head.acceptsTrailers && head.query != nil)
        let second = Array("POST / HTTP/1.0\r\n\r\n".utf8)
        #expect(try RequestParser().parse(second.span, into: &head))
        #expect(!head.isWebSocketHandshake && !head.acceptsTrailers && head.query == nil && head.form == .origin)
        #expect(holds(head.authority.isEmpty && head.fields.isEmpty && head.method == .post && !head.keepAlive))
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true), ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: foo\r\nConnection: , CLOSE\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n", true),
        ("GET / HTTP/1.0\r\nHost: a\r\n\r\n", false),
        ("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", false),
    ])
    func `Whether the connection may live on`(text: String, keepAlive: Bool) throws {
        try withHead(text) { head, _ in #expect(head.keepAlive == keepAlive) }
    }

    @Test func `A request line that was understood is there after a failure`() {
        let bytes = Array("CONNECT a.test:443 HTTP/1.1\r\n".utf8)
        var head = RequestHead()
        #expect(throws: RequestFailure(.methodNotSupported)) { try RequestParser().parse(bytes.span, into: &head) }
        #expect(head.method == .connect && head.target.count == 10)
    }

    @Test func `Limits of a listener count, and the fields' limit stays in bounds`() throws {
        let limits = RequestLimits(targetBytes: 5, fieldBytes: 10, headBytes: 60, fields: 2)
        let parser = RequestParser(limits: limits)
        try withHead("GET /1234 HTTP/1.1\r\nHost: abcd\r\nX: 1234567\r\n\r\n", parser: parser) { head, _ in
            #expect(head.fields.count == 2)
        }
        func code(_ text: String) -> ErrorCode? {
            var head = RequestHead()
            let bytes = Array(text.utf8)
            do throws(RequestFailure) {
                _ = try parser.parse(bytes.span, into: &head)
                return nil
            } catch {
                return error.code
            }
        }
        #expect(code("GET /12345 ") == .uriTooLong)
        #expect(code("GET / HTTP/1.1\r\nX: 12345678") == .headersTooLarge)
        #expect(code("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nX: 2\r\n") == .headersTooLarge)
        #expect(code("GET / HTTP/1.1\r\n" + String(repeating: "X", count: 10)) == nil)
        #expect(
            code(String(repeating: "\r\n", count: 2) + "GET / HTTP/1.1\r\nHost: abcd\r\nX: 1234567\r\nabcdefgh") == nil)
        #expect(code("GET /1234 HTTP/1.1\r\nHost: abcd\r\nX: 1234567\r\nabcdefghijklmnop") == .headersTooLarge)
        #expect(RequestLimits(fields: 10_000).fields == RequestHead.fieldsCapacity)
    }

    @Test func `A head that is exactly as long as the limit is accepted`() throws {
        let text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        try withHead(text, parser: RequestParser(limits: RequestLimits(headBytes: text.utf8.count))) { head, _ in
            #expect(head.byteCount == text.utf8.count)
        }
        var head = RequestHead()
        let bytes = Array(text.utf8)
        let parser = RequestParser(limits: RequestLimits(headBytes: bytes.count - 1))
        #expect(throws: RequestFailure(.headersTooLarge)) { try parser.parse(bytes.span, into: &head) }
        // With as many bytes as a head may have and no end among them, nothing can become of it any more.
        let beginning = Array(bytes.dropLast())
        #expect(throws: RequestFailure(.headersTooLarge)) { try parser.parse(beginning.span, into: &head) }
        let shorter = Array(beginning.dropLast())
        #expect(try !parser.parse(shorter.span, into: &head))
    }
}
