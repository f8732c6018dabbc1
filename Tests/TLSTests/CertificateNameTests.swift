import TLS
import Testing

@Suite("Names in certificates")
struct CertificateNameTests {
    @Test("names come in lower case and without a final dot")
    func canonical() {
        #expect(CertificateName("API.Example.com.") == .exact("api.example.com"))
        #expect(CertificateName("*.Example.COM") == .wildcard("example.com"))
        #expect(CertificateName("localhost") == .exact("localhost"))
        #expect(CertificateName("_sip.xn--bcher-kva.example") == .exact("_sip.xn--bcher-kva.example"))
    }

    @Test(
        "what no client would compare with a host name is no name",
        arguments: [
            "", ".", "*", "*.", "a..b", ".a", "a b", "a\0.example.com", "w*.example.com", "a.*.example.com",
            "*.*.example.com", "bücher.example", "http://a", "a/b",
            String(repeating: "a", count: 64) + ".example", String(repeating: "a.", count: 127) + "abc",
        ])
    func refused(_ text: String) {
        #expect(CertificateName(text) == nil)
    }

    @Test("a wildcard stands for exactly one label")
    func wildcard() throws {
        let name = try #require(CertificateName("*.example.com"))
        #expect(name.matches("api.example.com"))
        #expect(!name.matches("example.com"))
        #expect(!name.matches(".example.com"))
        #expect(!name.matches("a.b.example.com"))
        #expect(!name.matches("apiexample.com"))
        #expect(name.text == "*.example.com")
        let exact = try #require(CertificateName("example.com"))
        #expect(exact.matches("example.com") && !exact.matches("api.example.com"))
    }
}
