import Containers
import HTTP
import Testing

@testable import Middleware

@Suite struct FieldsTests {
    @Test func `A field is found in any case and without the white space around it`() {
        let request = TestHeads.request(["GET / HTTP/1.1", "X-User:  anna \t", "x-user: bert", "Host: A.test:81"])
        check(request.string(of: "x-USER") == "anna")
        check(request.count(of: "X-User") == 2)
        var values: [String] = []
        request.forEachValue(of: "X-User") { values.append(TestHeads.text($0)) }
        #expect(values == ["anna", "bert"])
        check(request.string(of: "Host") == "A.test:81")
        check(request.string(of: "X-None") == nil)
    }

    @Test(arguments: ["X-User-Id", "x-user-id", "X_User_Id", "x.user-id", "X-USER_ID"])
    func `Removing a field removes every spelling`(spelling: String) {
        var request = TestHeads.request(["GET / HTTP/1.1", "\(spelling): evil", "X-User-Ids: other"])
        request.remove("X-User-Id")
        #expect(TestHeads.sent(request) == ["X-User-Ids: other"])
        check(request.string(of: FieldName(spelling)) == nil)
    }

    @Test func `Setting a field replaces what the client and earlier middleware sent`() {
        var request = TestHeads.request(["GET / HTTP/1.1", "x_team: evil", "A: 1"])
        check(request.add("X.Team", "early"))
        check(request.add("B", "2"))
        check(request.set("X-Team", to: "core"))
        #expect(TestHeads.sent(request) == ["A: 1", "B: 2", "X-Team: core"])
        check(request.string(of: "x-team") == "core")
    }

    @Test(arguments: ["a\r\nEvil: 1", "a\n", "\0", "a\u{7F}"])
    func `A value that could end a line is refused and the client's is gone all the same`(value: String) {
        var request = TestHeads.request(["GET / HTTP/1.1", "X-Team: evil"])
        check(!request.set("X-Team", to: value))
        #expect(TestHeads.sent(request) == [])
    }

    @Test(arguments: ["Host", "content-length", "Transfer_Encoding", "Connection", "TE", "", "a b", "a:"])
    func `Framing fields and names that are no tokens cannot be set`(name: String) {
        var request = TestHeads.request(["GET / HTTP/1.1", "Content-Length: 3", "Host: a"])
        check(!request.set(FieldName(name), to: "5"))
        #expect(TestHeads.sent(request) == ["Content-Length: 3", "Host: a"])
        #expect(!FieldName(name).isValid)
    }

    @Test func `Additions that do not fit are refused`() {
        var request = TestHeads.request()
        check(request.add("X-Long", String(repeating: "a", count: 16_000)))
        check(!request.add("X-Long", String(repeating: "b", count: 16_000)))
        #expect(TestHeads.sent(request).count == 1)
    }

    @Test func `Removed lines close the gap they leave among the additions`() {
        var additions = FieldAdditions()
        for (name, value) in [("A", "1"), ("X_Y", "2"), ("B", ""), ("x-y", "3"), ("C", "4"), ("X.Y", "5")] {
            check(additions.append(name: Array(name.utf8).span, value: Array(value.utf8).span))
        }
        additions.remove(spellingsOf: Array("x-y".utf8).span)
        check(TestHeads.added(additions.span) == ["A: 1", "B: ", "C: 4"])
        check(additions.value(of: Array("b".utf8).span)?.count == 0)
        check(additions.value(of: Array("x-y".utf8).span) == nil)
        additions.remove(spellingsOf: Array("c".utf8).span)
        additions.remove(spellingsOf: Array("a".utf8).span)
        additions.remove(spellingsOf: Array("b".utf8).span)
        check(additions.isEmpty)
    }

    @Test func `Cookies are split on semicolons and compared exactly`() {
        let request = TestHeads.request([
            "GET / HTTP/1.1", "Cookie: a=1; sid=x=y ;sidx=no", "Cookie: later=2", "cookie: a=3",
        ])
        check(TestHeads.text(request.cookie("sid")) == "x=y")
        check(TestHeads.text(request.cookie("a")) == "1")
        check(TestHeads.text(request.cookie("later")) == "2")
        check(request.cookie("SID") == nil)
        check(request.cookie("") == nil)
    }

    @Test func `Query parameters are split on ampersands only`() {
        let request = TestHeads.request(["GET /p?a=1;b=2&c&=x&&a=3&d=%41=z HTTP/1.1"])
        check(TestHeads.text(request.queryParameter("a")) == "1;b=2")
        check(TestHeads.text(request.queryParameter("c")) == "")
        check(TestHeads.text(request.queryParameter("d")) == "%41=z")
        check(request.queryParameter("b") == nil)
        check(TestHeads.request().queryParameter("a") == nil)
    }

    @Test func `A response sees its own fields and those of its request`() {
        var response = TestHeads.response(
            ["HTTP/1.1 201 Created", "Server: x", "server: y"],
            request: ["POST http://h.test/a/b?c=d HTTP/1.1", "Host: h.test", "X-A:  1 "])
        check(response.status == 201)
        check(response.string(of: "Server") == "x")
        check(TestHeads.text(response.requestValue(of: "X-A")) == "1")
        check(TestHeads.text(response.requestMethod) == "POST")
        check(response.set("Server", to: "martlet"))
        #expect(TestHeads.sent(response) == ["Server: martlet"])
    }

    @Test(arguments: [
        ("GET /a?b HTTP/1.1", "/a", "b"), ("GET http://h/a/b?c?d HTTP/1.1", "/a/b", "c?d"),
        ("GET http://h HTTP/1.1", "", ""), ("GET http://h?q HTTP/1.1", "", "q"), ("OPTIONS * HTTP/1.1", "", ""),
        ("GET / HTTP/1.1", "/", ""), ("", "", ""), ("GET", "", ""),
    ])
    func `Scanning a head finds path and query of every form of target`(line: String, path: String, query: String) {
        let head = Array((line + "\r\n\r\n").utf8)
        #expect(String(decoding: head[RequestScan.path(in: head.span)], as: UTF8.self) == path)
        #expect(String(decoding: head[RequestScan.query(in: head.span)], as: UTF8.self) == query)
    }

    @Test(arguments: [
        ":method: GET\r\n:scheme: http\r\n:x: \r\nhost: h\r\n:path: /a?b\r\n",
        ":path: /a?b\r\n:x: \r\nhost: h\r\n:method: GET\r\nx: y\r\n",
        ":method: GET\r\n:protocol: websocket\r\n:path: /a?b\r\n",
    ])
    func `Scanning a head of HTTP/2 finds its fields in any order`(lines: String) {
        let head = Array(lines.utf8)
        #expect(String(decoding: head[RequestScan.method(in: head.span)], as: UTF8.self) == "GET")
        #expect(String(decoding: head[RequestScan.path(in: head.span)], as: UTF8.self) == "/a")
        #expect(String(decoding: head[RequestScan.query(in: head.span)], as: UTF8.self) == "b")
    }

    @Test func `Scanning any bytes traps nowhere`() {
        var random = RandomSource(seed: 7)
        let alphabet = Array("GET /:?\r\n aX-;=*pme".utf8)
        for _ in 0..<2000 {
            let bytes = (0..<random.below(40)).map { _ in alphabet[random.below(alphabet.count)] }
            let path = RequestScan.path(in: bytes.span)
            #expect(path.upperBound <= bytes.count)
            var lines = RequestScan.Lines(bytes.span)
            var count = 0
            while lines.next(in: bytes.span) != nil { count += 1 }
            #expect(count <= bytes.count)
        }
    }
}
