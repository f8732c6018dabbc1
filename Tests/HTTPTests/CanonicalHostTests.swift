import Containers
import HTTP
import Testing

@Suite struct CanonicalHostTests {
    private func canonical(_ authority: [UInt8]) -> String? {
        var out = Buffer(capacity: authority.count + 64)
        out.append("#")
        let isAppended = CanonicalHost.append(authority.span, to: &out)
        let text = String(decoding: out.span.indices.map { out[$0] }, as: UTF8.self)
        #expect(text.hasPrefix("#"))
        if isAppended { return String(text.dropFirst()) }
        #expect(text == "#", "a refused host leaves nothing behind")
        return nil
    }

    @Test(arguments: [
        ("a.test", "a.test"), ("A.TEST", "a.test"), ("a.test:80", "a.test"), ("a.test:8080", "a.test"),
        ("a.test:65535", "a.test"),
        ("A.test.:443", "a.test"), ("a.test.", "a.test"), ("localhost", "localhost"), ("my_svc:1", "my_svc"),
        ("10.0.0.1:80", "10.0.0.1"),
        ("[::1]:80", "[::1]"), ("[2001:DB8:0:0::1]", "[2001:db8::1]"), ("[::FFFF:10.0.0.1]", "[::ffff:10.0.0.1]"),
        ("a!b", "a!b"),
        ("x:0", "x"), ("a-b.c_d.e:1", "a-b.c_d.e"), ("xn--bcher-kva.test", "xn--bcher-kva.test"),
        ("[1:0:0:0:0:0:0:0]", "[1::]"),
        ("[fe80:1111:2222:3333:4444:5555:6666:7777]:1", "[fe80:1111:2222:3333:4444:5555:6666:7777]"),
    ])
    func spellingsOfOneHostBecomeOne(authority: String, host: String) {
        #expect(canonical(Array(authority.utf8)) == host)
        #expect(canonical(Array(host.utf8)) == host)
    }

    @Test(arguments: [
        "", ".", "..", "a..", ".a", "a..b", "A..b", ":80", "a:", "a:x", "a:65536", "a:080", "a:80x", "a:00", "a,b",
        "u@a", "a/b", "a b", "a\0",
        "[::1", "[::1]x", "::1", "%61", "é", "a:1:2", "a.:", "A.:x", "a:12345678", "a:99999",
    ])
    func badAuthoritiesAreRefused(authority: String) {
        #expect(canonical(Array(authority.utf8)) == nil)
    }

    @Test func aHostThatDoesNotFitIsRefused() {
        var out = Buffer(capacity: 40)
        let host = Array("a.test".utf8)
        let isAppended = CanonicalHost.append(host.span, to: &out)
        #expect(!isAppended)
        let count = out.count
        #expect(count == 0)
    }

    @Test func configurationTextHasTheSameForm() {
        #expect(CanonicalHost.text(of: "API.Example.com.") == "api.example.com")
        #expect(CanonicalHost.text(of: "[0::1]") == "[::1]")
        #expect(CanonicalHost.text(of: "a:80") == nil)
        #expect(CanonicalHost.text(of: "*.a") == "*.a")
        #expect(CanonicalHost.text(of: "a b") == nil)
    }

    /// The short way for plain names and the long way must agree: upper case forces the long one.
    @Test func bothWaysAgreeOnRandomAuthorities() {
        var random = RandomSource(seed: 4)
        let alphabet = Array("aab1-_..::0589".utf8)
        for _ in 0..<20_000 {
            let tail = (0..<random.below(9)).map { _ in alphabet[random.below(alphabet.count)] }
            let short = canonical([0x78] + tail)
            let long = canonical([0x58] + tail)
            #expect(short == long, "\(String(decoding: tail, as: UTF8.self))")
        }
    }
}
