import Net
import Testing

@Suite struct AuthorityTests {
    private func parse(_ bytes: [UInt8]) -> Authority? { Authority(bytes.span) }

    @Test(
        arguments: [
            ("a.test", "a.test", nil), ("A.Test:80", "A.Test", 80), ("a.test.:8080", "a.test.", 8080),
            ("10.0.0.1", "10.0.0.1", nil),
            ("10.0.0.1:1", "10.0.0.1", 1), ("[::1]", "::1", nil), ("[2001:DB8::1]:443", "2001:DB8::1", 443),
            ("my_svc-1~x", "my_svc-1~x", nil),
            ("a!$&'()*+;=b", "a!$&'()*+;=b", nil), ("256.0.0.1", "256.0.0.1", nil), ("x:65535", "x", 65535),
            ("x:0", "x", 0),
        ] as [(String, String, UInt16?)])
    func authoritiesAreRead(text: String, host: String, port: UInt16?) throws {
        let bytes = Array(text.utf8)
        let authority = try #require(parse(bytes))
        #expect(Array(bytes[authority.host]) == Array(host.utf8))
        #expect(authority.port == port)
    }

    @Test(arguments: [
        "", ":", ":80", "a,b", "a, b", "u@a", "u:p@a", "a/x", "a?x", "a#x", "a b", " a", "a ", "a\t", "a\0", "a\r",
        "a:", "a:80x",
        "a:99999", "a:65536", "a:100000", "a:080", "a:-1", "a:+1", "a:8 0", "a::80", "[::1", "::1", "[]", "[1.2.3.4]",
        "[::1]x",
        "[::1]80", "[::1]:", "[::1%25lo]", "[v1.x]", "[[::1]]", "%61", "a%2eb", "a\\b", "a\u{e9}", "\"a\"", "<a>",
        "a|b", "]", "http://a",
        "[::1]]", "[::1]:80:80",
    ])
    func everythingElseIsRefused(text: String) {
        #expect(parse(Array(text.utf8)) == nil)
    }

    @Test func literalAddressesAreTold() {
        func kind(_ text: String) -> Authority.Kind? { parse(Array(text.utf8))?.kind }
        #expect(kind("10.0.0.1:80") == .address(.v4(0x0A00_0001)))
        #expect(kind("[0:0::1]:80") == .address(.v6(0, 1)))
        #expect(kind("10.0.0.1.") == .name)
        #expect(kind("10.0.0.01") == .name)
    }

    @Test func noByteOutsideTheGrammarIsTakenAnywhere() {
        let allowed = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+;=".utf8)
        for byte in UInt8.min...UInt8.max {
            let bytes = [0x61, byte, 0x62]
            #expect((parse(bytes) != nil) == allowed.contains(byte), "byte \(byte)")
        }
    }
}
