import Net
import TLS
import Testing

@Suite("Certificate chains")
struct CertificateChainTests {
    private func chain(_ certificates: String, _ key: String? = nil) throws -> CertificateChain {
        try CertificateChain(
            certificates: Fixture.bytes(certificates), key: key.map { name in try Fixture.bytes(name) })
    }

    /// All that is wrong with files, in a line each.
    private func failures(_ certificates: String, _ key: String? = nil) throws -> [String] {
        do {
            _ = try chain(certificates, key)
            return []
        } catch let failures as CertificateFailures {
            return failures.all.map { "\($0.source): \($0.message)" }
        }
    }

    @Test("a chain gives its names, its key's kind and its times")
    func facts() throws {
        let chain = try chain("ecdsa.pem", "ecdsa.key")
        #expect(chain.names == [.exact("api.example.com"), .wildcard("api.example.com")])
        #expect(chain.addresses == [.v4(0x7F00_0001), .v6(0, 1)])
        #expect(chain.keyKind == .ecdsa)
        #expect(chain.leaf.keyBits == 256)
        #expect(chain.certificates.map(\.subject) == ["CN=api.example.com", "CN=Intermediate,O=Martlet tests"])
        #expect(chain.certificates.map(\.isAuthority) == [false, true])
        #expect(UnixTime.text(chain.notBefore) == "2020-01-01T00:00:00Z")
        #expect(UnixTime.text(chain.notAfter) == "2120-01-01T00:00:00Z")
        #expect(chain.fingerprint.count == 32)
        #expect(chain.leaf.fingerprintText.utf8.count == 64)
        #expect(chain.warnings.isEmpty)
        #expect(chain.covers("api.example.com") && chain.covers("a.api.example.com") && !chain.covers("example.com"))
    }

    @Test(
        "every kind of key is known",
        arguments: [("rsa", Certificate.KeyKind.rsa, 2_048), ("ed25519", .ed25519, 256), ("client", .ecdsa, 256)])
    func kinds(name: String, kind: Certificate.KeyKind, bits: Int) throws {
        let chain = try chain("\(name).pem", "\(name).key")
        #expect(chain.keyKind == kind)
        #expect(chain.leaf.keyBits == bits)
    }

    @Test("one file can have certificates and key, in any order")
    func together() throws {
        #expect(try chain("both.pem") == chain("ecdsa.pem", "ecdsa.key"))
        #expect(try chain("both.pem", "both.pem") == chain("ecdsa.pem", "ecdsa.key"))
    }

    @Test("the old forms of keys are read", arguments: ["ecdsa", "rsa"])
    func oldForms(name: String) throws {
        #expect(try chain("\(name).pem", "\(name)-old-form.key") == chain("\(name).pem", "\(name).key"))
    }

    @Test("chains are equal when their content is")
    func equality() throws {
        let first = try chain("ecdsa.pem", "ecdsa.key")
        let noisy = try Array(("a comment\n" + Fixture.text("ecdsa.pem")).utf8)
        #expect(try CertificateChain(certificates: noisy, key: Fixture.bytes("ecdsa.key")) == first)
        #expect(try chain("rsa.pem", "rsa.key") != first)
        #expect(try chain("leaf.pem", "ecdsa.key") != first)
    }

    @Test("what is for OpenSSL has the certificates in their order, and the key apart")
    func pem() throws {
        let chain = try chain("both.pem")
        let certificates = String(decoding: chain.certificatePEM, as: UTF8.self)
        let key = String(decoding: chain.privateKeyPEM, as: UTF8.self)
        #expect(certificates.components(of: "-----BEGIN CERTIFICATE-----") == 2)
        #expect(!certificates.contains("PRIVATE"))
        #expect(key.components(of: "-----BEGIN PRIVATE KEY-----") == 1)
        #expect(!key.contains("CERTIFICATE"))
        let again = try CertificateChain(certificates: chain.certificatePEM, key: chain.privateKeyPEM)
        #expect(again == chain)
    }

    @Test("neither print nor dump show the key")
    func hidden() throws {
        let chain = try chain("ecdsa.pem", "ecdsa.key")
        var text = "\(chain) \(String(reflecting: chain)) "
        dump([chain], to: &text)
        #expect(text.contains("api.example.com"))
        let key = String(decoding: chain.privateKeyPEM, as: UTF8.self)
        let secret = try #require(key.split(separator: "\n").dropFirst().first)
        #expect(!text.contains("PRIVATE") && !text.contains(secret.prefix(16)))
        #expect(!text.contains("\(chain.privateKeyPEM[0]), \(chain.privateKeyPEM[1])"))
    }

    // MARK: What is wrong

    @Test(
        "files that cannot be used say exactly why",
        arguments: [
            ("ecdsa.key", "ecdsa.key", "certificates: no certificate in it"),
            ("ecdsa.pem", "ecdsa.pem", "key: no private key in it"),
            ("ecdsa.pem", nil, "certificates: no private key in it"),
            ("ecdsa.pem", "encrypted.key", "key: the private key in it is encrypted"),
            ("rsa.pem", "encrypted-old-form.key", "key: the private key in it is encrypted"),
            ("ecdsa.pem", "two-keys.key", "key: more than one private key in it"),
            ("ecdsa.pem", "rsa.key", "key: the private key in it does not belong to the certificate"),
            ("ecdsa.pem", "client.key", "key: the private key in it does not belong to the certificate"),
            (
                "leaf-last.pem", "ecdsa.key",
                "certificates: its first certificate is not that of the private key, but certificate 2 is"
            ),
            (
                "small.pem", "small.key",
                "certificates: the certificate has a key of 1024 bits, and clients refuse it"
            ),
            (
                "sha1.pem", "sha1.key",
                "certificates: the certificate is signed with a weak digest, such as SHA-1, and clients refuse it"
            ),
            (
                "under-weak.pem", "under-weak.key",
                "certificates: certificate 2 (CN=Weak,O=Martlet tests) has a key of 1024 bits, and clients refuse it"
            ),
        ] as [(String, String?, String)])
    func refused(certificates: String, key: String?, message: String) throws {
        #expect(try failures(certificates, key) == [message])
    }

    @Test("what is wrong with both files is said at once")
    func both() throws {
        let found = try failures("ecdsa.key", "ecdsa.pem")
        #expect(found == ["certificates: no certificate in it", "key: no private key in it"])
    }

    @Test("files in another form are told what form is needed")
    func otherForms() throws {
        let key = try Fixture.bytes("ecdsa.key")
        for (bytes, word) in [(Array("0\u{1}\u{2}".utf8), "DER"), (Array("hello".utf8), "-----BEGIN CERTIFICATE-----")]
        {
            let error = #expect(throws: CertificateFailures.self) {
                _ = try CertificateChain(certificates: bytes, key: key)
            }
            #expect(error?.all.map(\.message) == ["no certificate in it"])
            #expect(error?.all.first?.help?.contains(word) == true)
        }
    }

    @Test("a damaged certificate or key is told by its place")
    func damaged() throws {
        func damaged(_ name: String) throws -> [UInt8] {
            var bytes = try Fixture.bytes(name)
            bytes[bytes.count / 2] = 0x21
            return bytes
        }
        let error = #expect(throws: CertificateFailures.self) {
            _ = try CertificateChain(certificates: damaged("leaf.pem"), key: damaged("ecdsa.key"))
        }
        #expect(error?.all.map(\.message) == ["PEM block 1 in it is broken", "PEM block 1 in it is broken"])
        #expect(error?.all.map(\.source) == [.certificates, .key])
    }

    @Test("no cut of a file is taken for the whole, and none ends the process")
    func cuts() throws {
        let whole = try Fixture.bytes("leaf.pem")
        let key = try Fixture.bytes("ecdsa.key")
        for count in stride(from: 0, to: whole.count - 1, by: 7) {
            #expect(throws: CertificateFailures.self, "\(count) bytes") {
                _ = try CertificateChain(certificates: Array(whole[..<count]), key: key)
            }
        }
    }

    @Test("more certificates than a chain can have are refused")
    func tooMany() throws {
        let leaf = try Fixture.bytes("leaf.pem")
        let many = Array((0..<33).map { _ in leaf }.joined())
        let error = #expect(throws: CertificateFailures.self) {
            _ = try CertificateChain(certificates: many, key: Fixture.bytes("ecdsa.key"))
        }
        #expect(error?.all.map(\.message) == ["more than 32 certificates in it"])
    }

    // MARK: What is doubtful

    @Test(
        "doubtful chains are used with a warning",
        arguments: [
            ("reordered.pem", "ecdsa.key", "its certificates are out of order: each is signed by the next one"),
            ("unlinked.pem", "ecdsa.key", "the certificate in it is not signed by certificate 2"),
            (
                "self-signed.pem", "self-signed.key",
                "certificate 2 in it is not needed: the certificate is signed by itself"
            ),
            (
                "common-name.pem", "common-name.key",
                "its name `common.example` stands only in the subject's common name, where most clients do not look: "
                    + "it needs a subjectAltName"
            ),
            (
                "no-name.pem", "no-name.key",
                "there is no DNS name or address in it: clients can only be sent to it as the first certificate"
            ),
        ])
    func doubtful(certificates: String, key: String, warning: String) throws {
        #expect(try chain(certificates, key).warnings.map(\.message) == [warning])
    }

    @Test("a client needs no name")
    func client() throws {
        let bytes = try (Fixture.bytes("client.pem"), Fixture.bytes("client.key"))
        #expect(try CertificateChain(certificates: bytes.0, key: bytes.1, for: .client).warnings.isEmpty)
        #expect(try CertificateChain(certificates: bytes.0, key: bytes.1).warnings.count == 1)
    }

    @Test("names that are no host names are passed over with a warning each")
    func oddNames() throws {
        let chain = try chain("odd-names.pem", "odd-names.key")
        #expect(chain.names == [.exact("odd.example")])
        #expect(
            chain.warnings.map(\.message) == [
                "its name `w*.odd.example` is no host name, and is not used",
                "its name `a b` is no host name, and is not used",
            ])
    }

    @Test("the common name counts only when there is no other")
    func commonName() throws {
        let chain = try chain("common-name.pem", "common-name.key")
        #expect(chain.names == [.exact("common.example")])
        #expect(try self.chain("no-name.pem", "no-name.key").names.isEmpty)
    }

    @Test("what has expired or does not hold yet is a warning")
    func times() throws {
        let expired = try chain("expired.pem", "expired.key")
        let future = try chain("future.pem", "future.key")
        let now: Int64 = 1_800_000_000
        #expect(
            expired.warnings(at: now).map(\.message) == [
                "the certificate for expired.example expired on 2021-01-01T00:00:00Z"
            ])
        #expect(
            future.warnings(at: now).map(\.message) == [
                "the certificate for future.example holds only from 2100-01-01T00:00:00Z on"
            ])
        #expect(expired.warnings.isEmpty && future.warnings.isEmpty)
        #expect(expired.warnings(at: expired.notAfter + 1).count == 1)
        let text = "the certificate for expired.example expires on 2021-01-01T00:00:00Z, in"
        for (left, time) in [
            (30 * 86_400, nil), (30 * 86_400 - 1, "29 days"), (86_400, "1 day"), (0, "less than a day"),
        ] {
            let messages = expired.warnings(at: expired.notAfter - Int64(left)).map(\.message)
            #expect(messages == (time.map { ["\(text) \($0)"] } ?? []), "\(left)")
        }
        #expect(try chain("ecdsa.pem", "ecdsa.key").warnings(at: now).isEmpty)
        let root = try CertificateAuthorities(Fixture.bytes("ca.pem"))
        #expect(root.warnings(at: now).isEmpty)
        #expect(root.warnings(at: 6_000_000_000).count == 1)
    }

    @Test(
        "points in time are written as people read them",
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (-1, "1969-12-31T23:59:59Z"), (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"), (951_868_800, "2000-03-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"), (253_402_300_799, "9999-12-31T23:59:59Z"),
            (-62_167_219_200, "0000-01-01T00:00:00Z"),
        ] as [(Int64, String)])
    func written(seconds: Int64, text: String) {
        #expect(UnixTime.text(seconds) == text)
    }
}

extension String {
    /// How often a part stands in it.
    fileprivate func components(of part: String) -> Int { ranges(of: part).count }
}
