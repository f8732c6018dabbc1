import Containers
import HTTP
import Testing

@testable import Middleware

@Suite struct ProblemDocumentTests {
    private func document(_ code: ErrorCode, _ detail: String = "", id: String = "id1", accept: String? = nil) -> (
        type: String, body: String
    ) {
        var body = Buffer(capacity: ProblemDocument.limit)
        let type: StaticString
        if let accept {
            let bytes = Array(accept.utf8)
            type = ProblemDocument.append(
                code: code, detail: detail, requestID: Array(id.utf8).span, accept: bytes.span, to: &body)
        } else {
            type = ProblemDocument.append(
                code: code, detail: detail, requestID: Array(id.utf8).span, accept: nil, to: &body)
        }
        return (type.description, TestHeads.text(body.span))
    }

    @Test func `An error is a problem document`() {
        let made = document(.noRoute)
        #expect(made.type == "application/problem+json")
        #expect(
            made.body == """
                {"type":"urn:martlet:error:no_route","title":"No route matches the request","status":404,\
                "code":"no_route","request_id":"id1"}

                """)
        check(document(.forbidden, "Not you").body.contains(#""detail":"Not you","code":"forbidden""#))
    }

    @Test func `Nothing from outside leaves its string in JSON`() {
        let body = document(.forbidden, "a\"b\\c\n\u{1}é", id: "x\"\u{7F}y").body
        check(body.contains(#""detail":"a\"b\\c\u000a\u0001é""#))
        check(body.contains(#""request_id":"x\"\u007fy""#))
    }

    @Test func `Nothing from outside is markup in HTML`() {
        let made = document(.forbidden, "<b>&'\"", id: "<script>", accept: "text/html")
        #expect(made.type == "text/html; charset=utf-8")
        #expect(made.body.contains("<p>&lt;b&gt;&amp;&#39;&quot;</p>"))
        #expect(made.body.contains("<code>&lt;script&gt;</code>"))
    }

    @Test func `Plain text has one fact a line`() {
        let made = document(.rateLimited, "slow\ndown", accept: "text/plain")
        #expect(made.type == "text/plain; charset=utf-8")
        #expect(made.body == "429 Too many requests\nslow?down\ncode: rate_limited\nrequest_id: id1\n")
    }

    @Test(
        arguments: [
            (nil, Acceptance.problem), ("", .problem), ("*/*", .problem), ("application/json", .problem),
            ("application/problem+json", .problem), ("text/html", .html), ("text/plain", .plain), ("text/*", .html),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", .html),
            ("text/html;q=0.5, application/json;q=0.6", .problem), ("text/html;q=0.7;x=1, */*;q=0.1", .html),
            ("text/html;q=0, text/plain;q=0.001", .plain), ("TEXT/HTML ; Q=1.000", .html), ("image/png", .problem),
            ("text/html;q=2", .problem), ("text/html;q=x", .problem), (",,;;/", .problem), ("*/html", .problem),
            ("text/html;q=0.1234, text/plain;q=0.1", .plain), ("text/html;q=", .html),
            ("*/*;q=0.5, text/html;q=0.4", .problem),
        ] as [(String?, Acceptance)])
    func `The form follows Accept`(accept: String?, form: Acceptance) {
        if let accept {
            let bytes = Array(accept.utf8)
            #expect(Acceptance(bytes.span) == form)
        } else {
            #expect(Acceptance(nil) == form)
        }
    }

    @Test func `Every code in every form with the longest texts fits`() {
        for code in ErrorCode.allCases {
            for accept in ["*/*", "text/html", "text/plain"] {
                let detail = String(repeating: "\u{1}\"<é", count: 400)
                let made = document(code, detail, id: String(repeating: "\u{1}", count: 400), accept: accept)
                #expect(made.body.utf8.count <= ProblemDocument.limit && made.body.hasSuffix("\n"))
            }
        }
    }

    @Test func `Without room nothing is written`() {
        var body = Buffer(capacity: ProblemDocument.limit - 1)
        let type = ProblemDocument.append(
            code: .noRoute, detail: "", requestID: [UInt8]().span, accept: nil, to: &body)
        check(body.isEmpty && type.description == "application/problem+json")
    }

    @Test func `A reply without a code has the title of its status`() {
        var body = Buffer(capacity: ProblemDocument.limit)
        _ = ProblemDocument.append(
            status: 403, code: .none, detail: "", requestID: [UInt8]().span, accept: nil, to: &body)
        check(TestHeads.text(body.span).contains(#""title":"Forbidden","status":403,"code":"error""#))
    }

    @Test(arguments: [
        (ErrorCode.dnsError, #"martlet; error=dns_error; details="dns_error""#),
        (.noRoute, #"martlet; error=http_request_denied; details="no_route""#), (.none, "martlet"),
        (.clientClosed, #"martlet; details="client_closed""#),
    ])
    func `Proxy-Status names the error`(code: ErrorCode, value: String) {
        var text = Buffer(capacity: 128)
        ProblemDocument.appendProxyStatus(code, to: &text)
        check(TestHeads.text(text.span) == value)
    }

    @Test func `Every Proxy-Status fits`() {
        for code in ErrorCode.allCases {
            var text = Buffer(capacity: 128)
            ProblemDocument.appendProxyStatus(code, to: &text)
            check(!text.isEmpty)
        }
    }
}
