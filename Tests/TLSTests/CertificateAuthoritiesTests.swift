import TLS
import Testing

@Suite("Certificate authorities")
struct CertificateAuthoritiesTests {
    @Test("all certificates of a file count, and nothing else of it is kept")
    func read() throws {
        let plain = try CertificateAuthorities(Fixture.bytes("authorities.pem"))
        #expect(plain.count == 2)
        #expect(plain.certificates.map(\.subject) == ["CN=Root,O=Martlet tests", "CN=Intermediate,O=Martlet tests"])
        #expect(plain.certificates.map(\.isAuthority) == [true, true])
        let text = try "# authorities\r\n" + Fixture.text("ecdsa.key") + Fixture.text("authorities.pem") + "the end"
        let mixed = try CertificateAuthorities(Array(text.utf8))
        #expect(mixed == plain)
        #expect(!String(decoding: mixed.pem, as: UTF8.self).contains("PRIVATE"))
    }

    @Test("a file without certificates says so")
    func empty() throws {
        let none = CertificateFailure(
            .authorities, "no certificate in it", help: "a PEM file has lines such as -----BEGIN CERTIFICATE-----")
        #expect(throws: none) { _ = try CertificateAuthorities([]) }
        #expect(throws: none) { _ = try CertificateAuthorities(Array("hello".utf8)) }
        #expect(throws: CertificateFailure(.authorities, "no certificate in it")) {
            _ = try CertificateAuthorities(Fixture.bytes("ecdsa.key"))
        }
    }

    @Test("a broken certificate is named by its place")
    func broken() throws {
        let good = try Fixture.text("ca.pem")
        let lines = good.split(separator: "\n", omittingEmptySubsequences: false)
        let damaged = lines.enumerated().map { $0.offset == 2 ? "!" + $0.element.dropFirst() : String($0.element) }
        #expect(throws: CertificateFailure(.authorities, "PEM block 2 in it is broken")) {
            _ = try CertificateAuthorities(Array((good + damaged.joined(separator: "\n")).utf8))
        }
        #expect(throws: CertificateFailure(.authorities, "PEM block 1 in it is broken")) {
            _ = try CertificateAuthorities(Array(lines.dropLast(2).joined(separator: "\n").utf8))
        }
    }

    @Test("more certificates than the limit are refused")
    func limit() throws {
        let one = try Fixture.bytes("ca.pem")
        let many = Array((0...CertificateAuthorities.limit).map { _ in one }.joined())
        #expect(throws: CertificateFailure(.authorities, "more than 1000 certificates in it")) {
            _ = try CertificateAuthorities(many)
        }
    }
}
