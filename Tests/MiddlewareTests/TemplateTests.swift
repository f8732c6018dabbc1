import Config
import Containers
import HTTP
import Net
import Testing

@testable import Middleware

@Suite struct TemplateTests {
    private static let lines = [
        "GET /users/a%2Fb/x?next=%2Fv&raw=a/b?c&p=1+2 HTTP/1.1", "Host: API.test:8080", "X-Name: {path}",
        "X-List: 1", "x-list: 2", "Cookie: sid=s/1",
    ]

    private func evaluate(_ template: Template, for use: CompiledTemplate.Use = .field, room: Int = 1000) -> String? {
        var request = TestHeads.request(
            Self.lines, client: .v6(0x2001_0db8_0000_0000, 1), parameters: [("id", "a%2Fb")])
        check(request.setIdentity(Array("anna".utf8).span))
        var output = Buffer(capacity: room)
        let isMade = CompiledTemplate(template, for: use).append(to: &output, request)
        return isMade ? TestHeads.text(output.span) : nil
    }

    @Test(arguments: [
        (Variable.clientIP, "2001:db8::1"), (.requestID, "0123456789abcdef0123456789abcdef"), (.host, "api.test"),
        (.method, "GET"), (.path, "/users/a%2Fb/x"), (.route, "test"), (.identity, "anna"),
        (.pathParameter("id"), "a%2Fb"), (.pathParameter("none"), ""), (.query("raw"), "a/b?c"), (.query("none"), ""),
        (.header("x-list"), "1, 2"), (.header("host"), "API.test:8080"), (.header("none"), ""), (.cookie("sid"), "s/1"),
    ])
    func `Every variable has its value`(variable: Variable, value: String) {
        #expect(evaluate(.parts("<", .variable(variable), ">")) == "<\(value)>")
    }

    private static let secure = SecureConnection(
        version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256", serverName: Array("api.test".utf8),
        clientSubject: Array("CN=anna".utf8), clientFingerprint: Array("ab12".utf8))

    @Test(arguments: [
        (Variable.scheme, "http", "https"), (.tlsVersion, "", "TLSv1.3"), (.tlsCipher, "", "TLS_AES_128_GCM_SHA256"),
        (.tlsSNI, "", "api.test"), (.tlsClientSubject, "", "CN=anna"), (.tlsClientFingerprint, "", "ab12"),
    ])
    func `Variables of the connection are empty without TLS`(variable: Variable, plain: String, secure: String) {
        let template = CompiledTemplate(.parts(.variable(variable)), for: .field)
        var request = TestHeads.request(Self.lines)
        var response = TestHeads.response(request: Self.lines)
        for isSecure in [false, true] {
            request.isSecure = isSecure
            request.secure = isSecure ? Self.secure : nil
            response.isSecure = isSecure
            response.secure = request.secure
            var output = Buffer(capacity: 100)
            check(template.append(to: &output, request))
            #expect(TestHeads.text(output.span) == (isSecure ? secure : plain))
            output.clear()
            check(template.append(to: &output, response))
            #expect(TestHeads.text(output.span) == (isSecure ? secure : plain))
        }
    }

    @Test func `What was known of a connection is not known of the next`() {
        var request = TestHeads.request(Self.lines)
        request.secure = Self.secure
        request.resetDecision()
        check(request.secure == nil)
        var response = TestHeads.response(request: Self.lines)
        response.secure = Self.secure
        response.isSecure = true
        response.reset()
        check(response.secure == nil && !response.isSecure)
    }

    @Test func `A value that looks like a template is not expanded again`() {
        #expect(evaluate(.parts(.variable(.header("x-name")))) == "{path}")
    }

    @Test(arguments: [
        (Variable.pathParameter("id"), "a%2Fb", "a%2Fb"), (.query("next"), "%2Fv", "%2Fv"),
        (.query("raw"), "a%2Fb%3Fc", "a%2Fb%3Fc"), (.header("x-name"), "%7Bpath%7D", "%7Bpath%7D"),
        (.query("p"), "1+2", "1%2B2"), (.cookie("sid"), "s%2F1", "s%2F1"),
        (.path, "/users/a%2Fb/x", "%2Fusers%2Fa%2Fb%2Fx"),
    ])
    func `In a target a value stays where it was put`(variable: Variable, inPath: String, inQuery: String) {
        #expect(evaluate(.parts("/p/", .variable(variable)), for: .target) == "/p/\(inPath)")
        #expect(evaluate(.parts("/p?q=", .variable(variable)), for: .target) == "/p?q=\(inQuery)")
    }

    @Test func `A value without room is refused at every size`() {
        let template = Template.parts("/abc/", .variable(.header("x-name")), "/", .variable(.host))
        let whole = "/abc/%7Bpath%7D/api.test"
        for room in 1...40 {
            #expect(evaluate(template, for: .target, room: room) == (room < whole.utf8.count ? nil : whole))
        }
    }

    @Test func `Escaping agrees with a simple model`() {
        var random = RandomSource(seed: 11)
        let alphabet = Array("a%4fG/?&=+# {~é".utf8)
        for round in 0..<3000 {
            let value = (0..<random.below(12)).map { _ in alphabet[random.below(alphabet.count)] }
            let escaping = round % 2 == 0 ? TemplateEscaping.path : .query
            let kind = round % 3 == 0 ? CompiledVariable.Kind.query : .header
            var output = Buffer(capacity: 100)
            output.append("%4")
            output.append(value)
            check(escaping.escape(kind, in: &output, from: 2))
            check(TestHeads.text(output.span) == "%4" + model(value, escaping, kind == .query))
        }
    }

    private func model(_ value: [UInt8], _ escaping: TemplateEscaping, _ keepsEscapes: Bool) -> String {
        var text = ""
        for (index, byte) in value.enumerated() {
            let isEscape =
                byte == 0x25 && index + 2 < value.count && ByteClass.isHexDigit(value[index + 1])
                && ByteClass.isHexDigit(value[index + 2])
            let kept = "-._~!$'()*,:;@" + (escaping == .path ? "&=+" : "")
            let isPlain =
                (0x61...0x7A).contains(byte) || (0x41...0x5A).contains(byte) || (0x30...0x39).contains(byte)
                || kept.utf8.contains(byte)
            if isPlain || (isEscape && keepsEscapes) {
                text += String(UnicodeScalar(byte))
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                text += "%" + (digits.utf8.count == 1 ? "0" : "") + digits
            }
        }
        return text
    }

    @Test(
        arguments: [
            (Template.parts("/new/", .variable(.pathParameter("rest"))), "a/b", "/new/a/b"),
            (.parts("/", .variable(.pathParameter("rest"))), "/evil.test", nil),
            (.parts("/", .variable(.pathParameter("rest"))), "a//b", "/a//b"),
            (.parts(.variable(.path)), "x", "/old/x"),
            (.parts("https://new.test", .variable(.path)), "x", "https://new.test/old/x"),
            (.parts("https://new.test", .variable(.pathParameter("rest"))), ".evil.test", nil),
            (.parts("https://new.test", .variable(.pathParameter("rest"))), "@evil.test", nil),
            (.parts("https://new.test/"), "x", "https://new.test/"),
            (.parts("https://new.test"), "x", "https://new.test"),
            (.parts("https://new.test?q=", .variable(.pathParameter("rest"))), "a/b", "https://new.test?q=a%2Fb"),
            (.parts(.variable(.pathParameter("rest"))), "https://evil.test", nil),
            (.parts("//", .variable(.host)), "x", nil), (.parts("/a\\b"), "x", nil), (.parts("/a\r\nb"), "x", nil),
            (.parts("https://"), "x", nil), (.parts("new/", .variable(.path)), "x", nil),
        ] as [(Template, String, String?)])
    func `A redirect goes where the configuration says`(template: Template, rest: String, target: String?) {
        let request = TestHeads.request(["GET /old/\(rest) HTTP/1.1"], parameters: [("rest", rest)])
        var output = Buffer(capacity: 200)
        output.append("before")
        let isMade = CompiledTemplate(template, for: .target).appendRedirect(to: &output, request)
        #expect(isMade == (target != nil))
        check(TestHeads.text(output.span) == "before" + (target ?? ""))
    }

    @Test func `Keys of different parts are never equal`() {
        func key(_ lines: [String], _ client: IPAddress = .v4(1)) -> [UInt8] {
            let request = TestHeads.request(["GET / HTTP/1.1"] + lines, client: client)
            var output = Buffer(capacity: 200)
            CompiledKey([.header("a"), .header("b"), .clientIP], ipv6Prefix: 64).append(to: &output, request)
            return TestHeads.bytes(output.span)
        }
        #expect(key(["a: xy"]) != key(["b: xy"]))
        #expect(key(["a: x", "b: y"]) != key(["a: xy"]))
        #expect(key([], .v6(1, 2)) == key([], .v6(1, 3)))
        #expect(key([], .v6(1, 2)) != key([], .v6(2, 2)))
        #expect(key([], .v6(0, 0xFFFF_0000_0001)) == key([], .v4(1)))
        #expect(key([], .v4(1)) != key([], .v4(2)))
    }

    @Test func `A key without room is cut`() {
        let request = TestHeads.request(["GET / HTTP/1.1", "a: 0123456789"])
        for room in 1...40 {
            var output = Buffer(capacity: room)
            CompiledKey([.header("a"), .clientIP]).append(to: &output, request)
            check(output.count <= room)
        }
    }

    @Test func `A response template takes what it can from the request's head`() {
        let response = TestHeads.response(request: Self.lines)
        let variables: [(Variable, String)] = [
            (.method, "GET"), (.path, "/users/a%2Fb/x"), (.host, "api.test"), (.query("p"), "1+2"),
            (.cookie("sid"), "s/1"),
            (.header("x-list"), "1, 2"), (.clientIP, "10.0.0.1"), (.route, "test"), (.pathParameter("id"), ""),
        ]
        for (variable, value) in variables {
            var output = Buffer(capacity: 100)
            check(CompiledTemplate(.parts(.variable(variable)), for: .field).append(to: &output, response))
            check(TestHeads.text(output.span) == value)
        }
    }
}
