import Config
import Containers
import HTTP
import Net
import Testing

@testable import Telemetry

@Suite("Access log formats")
struct AccessLogFormatTests {
    @Test("json: a full line, byte for byte")
    func json() {
        var sample = Sample(query: Array("a=1&b=2".utf8), referer: Array("https://example.com/?x=1".utf8))
        sample.identity = Array("ann".utf8)
        #expect(
            sample.line(.json)
                == #"{"time":"2026-11-22T17:33:05.012Z","request_id":"0123456789abcdef0123456789abcdef","#
                + #""client":"192.168.1.7","client_port":51234,"method":"GET","host":"api.example.com","#
                + #""path":"/users/7","query":"a=1&b=2","protocol":"HTTP/1.1","status":200,"bytes_in":300,"#
                + #""bytes_out":1234,"total_ms":12.345,"route":"user","upstream":"users","#
                + #""endpoint":"http://10.0.0.11:9000","upstream_status":200,"attempts":1,"reused":false,"#
                + #""queue_ms":0.001,"connect_ms":0.250,"first_byte_ms":11.000,"identity":"ann","#
                + #""user_agent":"curl/8.0","referer":"https://example.com/?x=1"}"# + "\n")
    }

    @Test("json: what there was not is left out")
    func jsonMinimum() {
        var sample = Sample(userAgent: nil)
        sample.upstream = []
        sample.route = []
        sample.record.status = 404
        sample.record.code = .noRoute
        let members = readJSON(Array(sample.line(.json).utf8))
        #expect(members?["reason"] == "no_route")
        #expect(
            Set(members?.keys.map { $0 } ?? []) == [
                "time", "request_id", "client", "client_port", "method", "host", "path", "protocol", "status",
                "bytes_in",
                "bytes_out", "total_ms", "reason",
            ])
    }

    @Test("json: a head that could not be read shows its first line, escaped")
    func jsonUnreadable() {
        var sample = Sample()
        sample.record = ExchangeRecord()
        sample.record.status = 400
        sample.record.code = .badRequest
        sample.head = Array("G\u{1}ET \"/x?token=1\r\nHost: a\r\n\r\n".utf8)
        let members = readJSON(Array(sample.line(.json).utf8))
        #expect(members?["request_line"] == "G\u{1}ET \"/x?token=***")
        #expect(members?["method"] == nil)
        #expect(sample.line(.common).contains(#""G\x01ET \x22/x?token=***" 400"#))
    }

    @Test(
        "every byte in every field from outside leaves one line of printable ASCII that reads back the same"
    )
    func everyByte() {
        for byte in UInt8.min...UInt8.max {
            var sample = Sample(
                method: [0x41, byte], path: [0x2F, byte, 0x61], host: [byte], userAgent: [0x75, byte, byte],
                referer: [0x72, byte])
            sample.requestID = [byte]
            sample.identity = [byte, 0x62]
            for format: AccessLogConfig.Format in [.json, .common, .combined, .pattern("%r %{User-Agent}i")] {
                let line = sample.bytes(AccessLogFormat(format))
                #expect(line.last == 0x0A)
                #expect(line.dropLast().allSatisfy { (0x20...0x7E).contains($0) })
            }
            let members = readJSON(sample.bytes(AccessLogFormat(.json)))
            let scalar = Character(Unicode.Scalar(byte))
            #expect(members?["user_agent"] == "u" + String([scalar, scalar]))
            #expect(members?["path"] == "/" + String(scalar) + "a")
            #expect(members?["identity"] == String(scalar) + "b")
        }
    }

    @Test("random bytes in all fields keep the number of quotes and columns of the combined format")
    func columns() {
        var random = RandomSource(seed: 3)
        for _ in 0..<500 {
            func noise() -> [UInt8] { (0..<random.below(60) + 1).map { _ in UInt8(truncatingIfNeeded: random.next()) } }
            var sample = Sample(path: [0x2F] + noise(), userAgent: noise(), referer: noise())
            sample.identity = noise()
            let line = sample.line(.combined)
            #expect(line.count { $0 == "\"" } == 6)
            #expect(line.prefix { $0 != "\"" }.count { $0 == " " } == 5)
        }
    }

    @Test("common and combined: byte for byte")
    func common() {
        var sample = Sample(query: Array("q=1".utf8), userAgent: Array("a \"b\"".utf8))
        #expect(
            sample.line(.common)
                == #"192.168.1.7 - - [22/Nov/2026:17:33:05 +0000] "GET /users/7?q=1 HTTP/1.1" 200 1000"# + "\n")
        sample.identity = Array("ann lee".utf8)
        sample.record.bodySent = 0
        sample.record.head.minorVersion = 0
        sample.record.client = .v6(0x2001_0DB8_0000_0000, 1)
        #expect(
            sample.line(.combined)
                == #"2001:db8::1 - ann\x20lee [22/Nov/2026:17:33:05 +0000] "GET /users/7?q=1 HTTP/1.0" 200 - "#
                + #""-" "a \x22b\x22""#
                + "\n")
    }

    @Test(
        "aiohttp's directives",
        arguments: [
            ("%a", "192.168.1.7"), ("%t", "[22/Nov/2026:17:33:05 +0000]"), ("%P", "<42>"),
            ("%r", "GET /users/7?a=1 HTTP/1.1"), ("%s", "200"), ("%b", "1234"), ("%T", "0"), ("%Tf", "0.012346"),
            ("%D", "12346"), ("%{User-Agent}i", "curl/8.0"), ("%{user-agent}i", "curl/8.0"), ("%{X-None}i", "-"),
            ("%{Content-Type}o", "text/plain"), ("%{X-None}o", "-"), ("%%", "%"), ("%", "%"), ("100%", "100%"),
            ("a b", "a b"), ("%s %s", "200 200"), ("%T%f", "0%f"), ("%{X}q", "%{X}q"), ("%{X", "%{X"), ("", ""),
            ("%a %t \"%r\" %s", "192.168.1.7 [22/Nov/2026:17:33:05 +0000] \"GET /users/7?a=1 HTTP/1.1\" 200"),
            ("%{Authorization}i %{Cookie}i %{Set-Cookie}o", "*** *** ***"), ("%{X-Twice}i", "first"),
            ("%{X-Empty}i|", "|"), ("%{Proxy-Authorization}i", "-"),
        ])
    func directives(pattern: String, expected: String) {
        var sample = Sample(
            query: Array("a=1".utf8),
            fields: "Authorization: Bearer x\r\nCookie: s=1\r\nX-Twice:  first \r\nX-Twice: second\r\nX-Empty:\r\n")
        sample.responseHead = Array("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nSet-Cookie: s=2\r\n\r\n".utf8)
        #expect(sample.line(.pattern(pattern)) == expected + "\n")
    }

    @Test(
        "times round to the nearest",
        arguments: [(499_999_999, "0"), (500_000_000, "1"), (1_499_999_999, "1"), (-5, "0")])
    func rounding(nanoseconds: Int64, seconds: String) {
        var sample = Sample()
        sample.record.total = nanoseconds
        #expect(sample.line(.pattern("%T")) == seconds + "\n")
    }

    @Test("only a format that names a response field needs the response's head")
    func needs() {
        #expect(AccessLogFormat(.pattern("%{A}o")).needsResponseFields)
        #expect(!AccessLogFormat(.pattern("%{A}i %s")).needsResponseFields)
        #expect(!AccessLogFormat(.json).needsResponseFields)
    }

    @Test("each value takes at most 2 KiB, escapes included, and a line of the longest values still fits")
    func caps() {
        for byte in [0x61, 0xFF, 0x22] as [UInt8] {
            let long = Array(repeating: byte, count: 100_000)
            var sample = Sample(method: long, path: long, query: long, host: long, userAgent: long, referer: long)
            sample.identity = long
            sample.requestID = long
            sample.route = long
            for format: AccessLogConfig.Format in [.json, .combined, .pattern("%r")] {
                let line = sample.bytes(AccessLogFormat(format))
                #expect(!line.isEmpty && line.count < AccessLogFormat.lineLimit)
            }
            let agent = readJSON(sample.bytes(AccessLogFormat(.json)))?["user_agent"]?.count ?? 0
            #expect(agent == (byte == 0x61 ? 2_048 : byte == 0xFF ? 341 : 1_024))
        }
    }

    @Test("without room nothing is appended")
    func noRoom() {
        let sample = Sample()
        let texts = ExchangeTexts(
            head: sample.head.span, responseHead: sample.responseHead.span, requestID: sample.requestID.span,
            route: sample.route.span, upstream: sample.upstream.span, endpoint: sample.endpoint.span,
            identity: sample.identity.span)
        for format: AccessLogConfig.Format in [.json, .common, .combined, .pattern("x %a %r")] {
            var buffer = Buffer(capacity: 5_000)
            var clock = LogClock()
            for _ in 0..<1_000 { buffer.append(0x2E) }
            #expect(AccessLogFormat(format).append(sample.record, texts, clock: &clock, to: &buffer) == false)
            #expect(buffer.count == 1_000)
        }
    }

    @Test("ranges that do not fit the head give empty values, not a trap")
    func wrongRanges() {
        var sample = Sample()
        sample.head = Array("GET".utf8)
        for format: AccessLogConfig.Format in [.json, .combined, .pattern("%r %{A}i")] {
            #expect(!sample.bytes(AccessLogFormat(format)).isEmpty)
        }
        sample.record.total = .max
        sample.record.startSeconds = .min
        sample.record.startNanoseconds = .max
        #expect(!sample.bytes(AccessLogFormat(.json)).isEmpty)
        #expect(!sample.bytes(AccessLogFormat(.pattern("%T %Tf %D %t"))).isEmpty)
    }
}

@Suite("Redaction in the access log")
struct RedactionTests {
    @Test(
        "values of parameters that carry credentials never stand in a line",
        arguments: [
            ("token=s3cret", "token=***"), ("a=1&api_key=s3cret&b=2", "a=1&api_key=***&b=2"),
            ("ACCESS_TOKEN=s3cret", "ACCESS_TOKEN=***"), ("api%5fkey=s3cret&x", "api%5fkey=***&x"),
            ("tok%65n=s3cret", "tok%65n=***"), ("my-key=s3cret", "my-key=***"), ("token=", "token=***"),
            ("token", "token"), ("tokens=1", "tokens=1"), ("&&token=s3cret&", "&&token=***&"), ("", ""), ("=x", "=x"),
            ("a=token=1", "a=token=1"), ("sig=s3cret=s3cret", "sig=***"),
        ])
    func parameters(query: String, expected: String) {
        let redaction = Redaction(fields: ["X-My-Key"], parameters: ["My-Key"])
        let sample = Sample(
            query: Array(query.utf8), referer: Array("https://h/p?\(query)".utf8), fields: "X-My-Key: s3cret\r\n")
        #expect(readJSON(Array(sample.line(.json, redaction: redaction).utf8))?["query"] == expected)
        for format: AccessLogConfig.Format in [.json, .combined, .pattern("%r %{Referer}i %{X-My-Key}i")] {
            let line = sample.line(format, redaction: redaction)
            #expect(!line.contains("s3cret"))
            #expect(format == .json || line.contains("/users/7?\(expected) HTTP/1.1"))
        }
    }
}

@Suite("Dates in logs")
struct LogClockTests {
    @Test(
        "are right on the days where calendars break",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z", "01/Jan/1970:00:00:00 +0000"),
            (951_782_399, "2000-02-28T23:59:59.000Z", "28/Feb/2000:23:59:59 +0000"),
            (951_782_400, "2000-02-29T00:00:00.000Z", "29/Feb/2000:00:00:00 +0000"),
            (1_709_251_199, "2024-02-29T23:59:59.000Z", "29/Feb/2024:23:59:59 +0000"),
            (1_735_689_599, "2024-12-31T23:59:59.000Z", "31/Dec/2024:23:59:59 +0000"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z", "01/Mar/2100:00:00:00 +0000"),
            (253_402_300_799, "9999-12-31T23:59:59.000Z", "31/Dec/9999:23:59:59 +0000"),
            (253_402_300_800, "9999-12-31T23:59:59.000Z", "31/Dec/9999:23:59:59 +0000"),
        ] as [(Int64, String, String)])
    func days(seconds: Int64, iso: String, common: String) {
        var clock = LogClock()
        var buffer = Buffer(capacity: 200)
        clock.appendISO(seconds: seconds, nanoseconds: 0, to: &buffer)
        #expect(String(decoding: copy(buffer.span), as: UTF8.self) == iso)
        buffer.clear()
        clock.appendCommon(seconds: seconds, to: &buffer)
        #expect(String(decoding: copy(buffer.span), as: UTF8.self) == common)
    }

    @Test("count every day from 1970 to 2200 in order")
    func order() {
        var clock = LogClock()
        var buffer = Buffer(capacity: 100)
        var last: [UInt8] = []
        for day in 0..<84_000 as Range<Int64> {
            buffer.clear()
            clock.appendISO(seconds: day * 86_400, nanoseconds: 0, to: &buffer)
            let text = copy(buffer.span)
            #expect(last.lexicographicallyPrecedes(text))
            last = text
        }
    }
}
