import Containers
import HTTP
@testable import HTTP1
import Testing

@Suite struct EncoderTests {
    private static func request(_ text: String, capacity: Int = 4_096, additions: String = "", path: String? = nil)
        throws -> String?
    {
        let bytes = Array(text.utf8)
        let added = Array(additions.utf8)
        var head = RequestHead()
        #expect(try RequestParser().parse(bytes.span, into: &head))
        let target = path.map { Array($0.utf8) } ?? Array(bytes[head.path.range])
        var buffer = Buffer(capacity: capacity)
        buffer.append("before")
        let written = try RequestEncoder.append(
            to: &buffer, bytes: bytes.span, head: head, path: target.span,
            host: bytes.span.extracting(head.authority.range),
            additions: added.span, framing: head.framing)
        let all = String(decoding: (0..<buffer.count).map { buffer[$0] }, as: UTF8.self)
        #expect(all.hasPrefix("before"))
        if !written { #expect(all == "before") }
        return written ? String(all.dropFirst(6)) : nil
    }

    @Test func `Additions stand behind the fields and before the framing`() throws {
        let text = "POST /a?b HTTP/1.1\r\nHost: h\r\nX-A:1\r\nContent-Length: 3\r\nX-B: 2\r\n\r\n"
        #expect(
            try Self.request(text, additions: "Via: 1.1 m\r\n", path: "/new")
                == "POST /new?b HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nX-B: 2\r\nVia: 1.1 m\r\nContent-Length: 3\r\n\r\n")
    }

    @Test func `What does not fit leaves the buffer as it was`() throws {
        #expect(try Self.request("GET / HTTP/1.1\r\nHost: h\r\n\r\n", capacity: 100) == nil)
    }

    @Test(arguments: ["/a b", "/a\r\nX: y", "/a\u{7F}", "/a\n", "/\0"])
    func `A path with a byte that would end the line is refused`(path: String) {
        #expect(throws: EncoderFailure.unsafeBytes) {
            try Self.request("GET / HTTP/1.1\r\nHost: h\r\n\r\n", path: path)
        }
    }

    @Test(arguments: ["A: b", "A: b\n", "A: b\rC: d\r\n", "A: \0\r\n", "A: b\r\nC: d\r", "A: b\n\r\n"])
    func `Added lines that are not whole lines are refused`(additions: String) {
        #expect(throws: EncoderFailure.unsafeBytes) {
            try Self.request("GET / HTTP/1.1\r\nHost: h\r\n\r\n", additions: additions)
        }
    }

    @Test func `Framing that cannot be is refused`() throws {
        let bytes = Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)
        var head = ResponseHead()
        #expect(try ResponseParser().parse(bytes.span, requestMethod: .get, into: &head))
        var buffer = Buffer(capacity: 1_000)
        #expect(throws: EncoderFailure.impossibleFraming) {
            try ResponseEncoder.append(
                to: &buffer, bytes: bytes.span, head: head, additions: Span(), framing: .chunked, connection: .close,
                clientMinorVersion: 0, date: Span())
        }
        #expect(throws: EncoderFailure.impossibleFraming) {
            try ResponseEncoder.append(
                to: &buffer, bytes: bytes.span, head: head, additions: Span(), framing: .untilClose,
                connection: .keepAlive, clientMinorVersion: 1, date: Span())
        }
        #expect(holds(buffer.isEmpty))
    }

    @Test func `A response gets Date and Connection when they are due`() throws {
        let bytes = Array("HTTP/1.0 404 Gone fishing\r\nX:y\r\nContent-Length: 2\r\n\r\nok".utf8)
        var head = ResponseHead()
        #expect(try ResponseParser().parse(bytes.span, requestMethod: .get, into: &head))
        func write(_ connection: ConnectionOption, _ minorVersion: UInt8) throws -> String {
            var buffer = Buffer(capacity: 1_000)
            let added = Array("Via: 1.0 m\r\n".utf8)
            let date = HTTPDate.format(secondsSince1970: 784_111_777)
            #expect(
                try holds(
                    ResponseEncoder.append(
                        to: &buffer, bytes: bytes.span, head: head, additions: added.span, framing: head.framing,
                        connection: connection, clientMinorVersion: minorVersion, date: date.span)))
            return String(decoding: (0..<buffer.count).map { buffer[$0] }, as: UTF8.self)
        }
        let start =
            "HTTP/1.1 404 Gone fishing\r\nX: y\r\nVia: 1.0 m\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 2\r\n"
        #expect(try write(.keepAlive, 1) == start + "\r\n")
        #expect(try write(.keepAlive, 0) == start + "Connection: keep-alive\r\n\r\n")
        #expect(try write(.close, 1) == start + "Connection: close\r\n\r\n")
    }

    @Test func `An interim response is relayed without framing`() throws {
        let bytes = Array(
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 0\r\nConnection: X\r\nX: y\r\n\r\n".utf8)
        var head = ResponseHead()
        #expect(try ResponseParser().parse(bytes.span, requestMethod: .get, into: &head))
        var buffer = Buffer(capacity: 1_000)
        #expect(holds(ResponseEncoder.appendInterim(to: &buffer, bytes: bytes.span, head: head)))
        #expect((0..<buffer.count).map { buffer[$0] } == Array("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".utf8))
    }

    @Test(arguments: [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"), (951_868_799, "Tue, 29 Feb 2000 23:59:59 GMT"),
        (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"), (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"),
        (1_785_456_000, "Fri, 31 Jul 2026 00:00:00 GMT"), (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"), (Int.max, "Fri, 31 Dec 9999 23:59:59 GMT"),
        (-1, "Thu, 01 Jan 1970 00:00:00 GMT"),
    ])
    func `Dates are IMF-fixdates`(seconds: Int, text: String) {
        let date = HTTPDate.format(secondsSince1970: seconds)
        #expect(String(decoding: (0..<HTTPDate.byteCount).map { date[$0] }, as: UTF8.self) == text)
    }

    @Test func `The usual status line is the one of 200 alone`() {
        let line = Array("xHTTP/1.1 200 OK\r\n".utf8)
        #expect(holds(StatusLine.isUsual(line.span, at: 1)))
        #expect(holds(StatusLine.usualCount == line.count - 1))
        for place in 1..<line.count {
            var other = line
            other[place] ^= 0x20
            #expect(holds(!StatusLine.isUsual(other.span, at: 1)))
            #expect(holds(!StatusLine.isUsual(line.span.extracting(first: place), at: 1)))
        }
    }

    @Test func `Every packed token spells its name`() {
        let tokens: [(PackedToken, String)] = [
            (.close, "close"), (.keepAlive, "keep-alive"), (.upgrade, "upgrade"), (.te, "te"), (.trailers, "trailers"),
            (.chunked, "chunked"), (.websocket, "websocket"), (.hundredContinue, "100-continue"), (.thirteen, "13"),
            (.http, "http://"), (.https, "https://"), (.timeout, "timeout"), (.contentEncoding, "content-encoding"),
            (.contentRange, "content-range"), (.range, "range"), (.pragma, "pragma"), (.grpc, "application/grpc"),
        ]
        for (token, name) in tokens {
            #expect(PackedToken(Array(name.utf8).span) == token, "\(name)")
            #expect(PackedToken(Array(name.uppercased().utf8).span) == token, "\(name)")
            #expect(PackedToken(Array((name + "x").utf8).span) != token, "\(name)")
        }
    }
}
