import TLS
import Testing

@Suite("OCSP responses")
struct OCSPResponseTests {
    private func response(_ name: String, chain: String = "ecdsa.pem") throws -> OCSPResponse {
        let chain = try CertificateChain(certificates: Fixture.bytes(chain), key: Fixture.bytes("ecdsa.key"))
        return try OCSPResponse(Fixture.bytes(name), for: chain)
    }

    @Test("a response about the certificate gives its status and times")
    func good() throws {
        let response = try response("ocsp-good.der")
        #expect(response.status == .good)
        let next = try #require(response.nextUpdate)
        #expect(next - response.thisUpdate == 36_500 * 86_400)
        #expect(try response.der == Fixture.bytes("ocsp-good.der"))
        #expect(response.warnings(at: response.thisUpdate).isEmpty)
        #expect(response.warnings(at: next).isEmpty)
    }

    @Test("it is known for the certificate's also where the issuer is not in the file")
    func withoutIssuer() throws {
        #expect(try response("ocsp-good.der", chain: "leaf.pem").status == .good)
    }

    @Test("a lapsed, early or revoking response is a warning")
    func warnings() throws {
        let lapsed = try response("ocsp-lapsed.der")
        let next = try #require(lapsed.nextUpdate)
        #expect(lapsed.warnings(at: next + 1).map(\.message) == ["it held until \(UnixTime.text(next))"])
        #expect(
            lapsed.warnings(at: lapsed.thisUpdate - 1).map(\.message) == [
                "it holds only from \(UnixTime.text(lapsed.thisUpdate)) on"
            ])
        let revoked = try response("ocsp-revoked.der")
        #expect(revoked.status == .revoked)
        #expect(revoked.warnings(at: revoked.thisUpdate).map(\.message) == ["the certificate is revoked"])
    }

    @Test("a response about another certificate is refused")
    func other() {
        #expect(throws: CertificateFailure(.ocsp, "nothing in it is about the certificate")) {
            _ = try response("ocsp-other.der")
        }
    }

    @Test("no changed byte changes what it says of the certificate, since the issuer has signed it")
    func signature() throws {
        let good = try response("ocsp-good.der")
        let whole = good.der
        let chain = try CertificateChain(certificates: Fixture.bytes("ecdsa.pem"), key: Fixture.bytes("ecdsa.key"))
        let refused = CertificateFailure(
            .ocsp, "it is signed neither by the certificate's issuer nor by whom the issuer appointed")
        var refusals = 0
        for place in whole.indices {
            var changed = whole
            changed[place] ^= 1
            do {
                let read = try OCSPResponse(changed, for: chain)
                #expect(
                    read.status == good.status && read.thisUpdate == good.thisUpdate
                        && read.nextUpdate == good.nextUpdate, "byte \(place)")
            } catch {
                if error == refused { refusals += 1 }
            }
        }
        // Times, status and signature.
        #expect(refusals > 100)
    }

    @Test("what is no response is refused")
    func broken() throws {
        #expect(throws: CertificateFailure(.ocsp, "the responder's answer in it is an error")) {
            _ = try response("ocsp-later.der")
        }
        let broken = CertificateFailure(.ocsp, "no OCSP response in DER in it")
        #expect(throws: broken) { _ = try response("ecdsa.pem") }
        let chain = try CertificateChain(certificates: Fixture.bytes("ecdsa.pem"), key: Fixture.bytes("ecdsa.key"))
        let whole = try Fixture.bytes("ocsp-good.der")
        for count in 0..<whole.count {
            #expect(throws: broken, "\(count) bytes") { _ = try OCSPResponse(Array(whole[..<count]), for: chain) }
        }
        #expect(throws: broken) { _ = try OCSPResponse(whole + [0], for: chain) }
    }
}
