import TLS
import Testing
import YAML

@testable import Config

/// `tls` of listeners.
@Suite struct ListenerTLSTests {
    /// Loads `martlet.yaml` with the certificates of the tests under `tls/`, and further files.
    static func result(
        _ text: String, files: [String: String] = [:], environment: [String: String] = [:], now: Int64? = nil
    ) -> ConfigResult {
        let known = files.merging(["martlet.yaml": text]) { $1 }.mapValues { Array($0.utf8) }
        let sources = ConfigFiles(
            read: { path, limit in
                if let content = known[path] { return .success(content) }
                let name = path.hasPrefix("conf.d/") ? String(path.dropFirst(7)) : path
                guard let file = FixturePath.certificate(name) else { return .failure(.init(reason: "no such file")) }
                return ConfigFiles.disk.read(file, limit)
            },
            list: { _ in .success(known.keys.filter { $0.hasPrefix("conf.d/") }.map { String($0.dropFirst(7)) }) })
        return ConfigLoader.load(path: "martlet.yaml", environment: environment, files: sources, now: now)
    }

    /// A listener whose `tls` is given.
    static func text(_ tls: String) -> String {
        "listeners: { a: { bind: 127.0.0.1:8443, tls: \(tls) } }\nroutes: [{ path: /*, respond: 200 }]\n"
    }

    static func load(_ tls: String) throws -> ListenerTLS {
        let result = result(text(tls))
        #expect(result.report() == "")
        return try #require(result.config?.listeners.first?.tls)
    }

    static let both = "{ cert: tls/both.pem }"
    static let rsa = "{ cert: tls/rsa.pem, key: tls/rsa.key }"
    static let other = "{ cert: tls/ed25519.pem, key: tls/ed25519.key }"

    @Test func everyKeyReachesTheModel() throws {
        let tls = try Self.load(
            """
            {
              certificates: [{ cert: tls/ecdsa.pem, key: tls/ecdsa.key, ocsp: tls/ocsp-good.der }, \(Self.rsa)],
              min_version: "1.3", client_auth: { ca: tls/authorities.pem, require: false, forward: chain },
              unknown_name: refuse, session_tickets: false,
              hosts: { API.example.com.: { client_auth: { ca: tls/ca.pem } }, "*.api.example.com": { ciphers: intermediate } }
            }
            """)
        #expect(tls.certificates.map(\.chain.keyKind) == [.ecdsa, .rsa])
        #expect(tls.certificates.map(\.file) == ["tls/ecdsa.pem", "tls/rsa.pem"])
        #expect(tls.certificates[0].ocsp?.status == .good)
        #expect(tls.certificates[1].ocsp == nil)
        #expect(tls.policy.minVersion == .tls13)
        #expect(tls.policy.clientAuth?.authorities.count == 2)
        #expect(tls.policy.clientAuth?.isRequired == false)
        #expect(tls.policy.clientAuth?.forward == .chain)
        #expect(tls.unknownName == .refuse)
        #expect(!tls.sessionTickets)
        #expect(tls.hosts.map(\.name) == [.exact("api.example.com"), .wildcard("api.example.com")])
        #expect(tls.hosts[0].policy.minVersion == .tls13)
        #expect(tls.hosts[0].policy.clientAuth?.authorities.count == 1)
        #expect(tls.hosts[0].policy.clientAuth?.isRequired == true)
        #expect(tls.hosts[0].policy.clientAuth?.forward == .off)
        #expect(tls.hosts[1].policy.minVersion == .tls12)
        #expect(tls.hosts[1].policy.clientAuth == tls.policy.clientAuth)
    }

    @Test func defaultsAreThoseOfThePage() throws {
        let tls = try Self.load("{ certificates: \(Self.both) }")
        #expect(tls.certificates.count == 1)
        #expect(tls.policy == TLSPolicy())
        #expect(tls.policy.minVersion == .tls12)
        #expect(tls.unknownName == .serve && tls.sessionTickets && tls.hosts.isEmpty)
        let config = try #require(Self.result(Self.text("{ certificates: \(Self.both) }")).config)
        #expect(config.listeners[0].timeouts.handshake == .seconds(10))
        #expect(config.listeners[0].redirectToHTTPS == nil)
    }

    @Test func modernIsVersion13() throws {
        #expect(try Self.load("{ certificates: \(Self.both), ciphers: modern }").policy.minVersion == .tls13)
        #expect(
            try Self.load("{ certificates: \(Self.both), ciphers: modern, min_version: '1.3' }").policy.minVersion
                == .tls13)
    }

    @Test func aHostCanTakeBackWhatTheListenerAsks() throws {
        let tls = try Self.load(
            """
            { certificates: \(Self.both), client_auth: { ca: tls/ca.pem }, ciphers: modern,
              hosts: { api.example.com: { client_auth: off, min_version: "1.2" } } }
            """)
        #expect(tls.policy.clientAuth != nil && tls.policy.minVersion == .tls13)
        #expect(tls.hosts[0].policy == TLSPolicy())
    }

    @Test func pathsAreSeenFromTheFileThatNamesThem() throws {
        let result = Self.result(
            "include: [conf.d/*.yaml]\nroutes: [{ path: /*, respond: 200 }]\n",
            files: ["conf.d/1.yaml": "listeners: { a: { bind: 127.0.0.1:1, tls: { certificates: \(Self.both) } } }"])
        #expect(result.report() == "")
        #expect(result.config?.listeners[0].tls?.certificates[0].file == "conf.d/tls/both.pem")
        #expect(result.record.files["conf.d/tls/both.pem"] != nil)
    }

    @Test func whatTheEnvironmentBroughtIsNotShown() throws {
        let text = Self.text("{ certificates: { cert: \"${env:FOLDER}/both.pem\" } }")
        let config = try #require(Self.result(text, environment: ["FOLDER": "tls"]).config)
        #expect(config.listeners[0].tls?.certificates[0].file == "${env:FOLDER}/both.pem")
        let missing = Self.result(text, environment: ["FOLDER": "secret-folder"])
        #expect(missing.problems.map(\.message) == ["cannot read the file of `${env:FOLDER}/both.pem`: no such file"])
    }

    @Test func equalFilesMakeEqualConfigurations() throws {
        func config(_ certificate: String) throws -> GatewayConfig {
            let text = Self.text("{ certificates: \(certificate), client_auth: { ca: tls/ca.pem } }")
            return try #require(Self.result(text).config)
        }
        #expect(try config(Self.both) == config(Self.both))
        #expect(try config(Self.both) != config(Self.rsa))
        #expect(
            try Self.load("{ certificates: \(Self.both), client_auth: { ca: tls/ca.pem } }")
                != Self.load("{ certificates: \(Self.both), client_auth: { ca: tls/authorities.pem } }"))
    }

    @Test func aRecordHoldsAllFilesAndLoadsTheSame() throws {
        let first = Self.result(
            Self.text(
                """
                { certificates: [{ cert: tls/ecdsa.pem, key: tls/ecdsa.key, ocsp: tls/ocsp-good.der }],
                  client_auth: { ca: tls/ca.pem } }
                """))
        let record = try #require(ConfigRecord(decoding: first.record.encoded()))
        #expect(
            record.files.keys.sorted() == [
                "martlet.yaml", "tls/ca.pem", "tls/ecdsa.key", "tls/ecdsa.pem", "tls/ocsp-good.der",
            ])
        #expect(ConfigLoader.load(record: record).config == first.config)
    }

    @Test func noKeyGetsIntoReportsAndDumps() throws {
        let result = Self.result(Self.text("{ certificates: \(Self.both) }"))
        let config = try #require(result.config)
        var text = result.report() + "\(config)"
        dump(config, to: &text)
        let key = String(decoding: try #require(result.record.files["tls/both.pem"]), as: UTF8.self)
        let secret = try #require(key.split(separator: "\n").dropFirst().first)
        #expect(text.contains("api.example.com"))
        #expect(!text.contains(secret.prefix(20)) && !text.contains("PRIVATE"))
    }

    @Test func filesHaveALimit() {
        let large = String(repeating: "#", count: (1 << 20) + 1)
        let result = ConfigLoader.load(
            path: "martlet.yaml",
            files: .memory([
                "martlet.yaml": Array(Self.text("{ certificates: { cert: big.pem } }").utf8),
                "big.pem": Array(large.utf8),
            ]))
        #expect(result.problems.map(\.message) == ["cannot read `big.pem`: larger than 1048576 bytes"])
    }

    @Test func whatTheTimeSaysIsAWarning() throws {
        let text = Self.text(
            """
            { certificates: [{ cert: tls/future.pem, key: tls/future.key }, { cert: tls/both.pem, ocsp: tls/ocsp-lapsed.der }],
              client_auth: { ca: tls/ca.pem } }
            """)
        #expect(Self.result(text).report() == "")
        let late = Self.result(text, now: 6_000_000_000)
        #expect(late.config != nil)
        #expect(late.problems.map(\.severity) == Array(repeating: .warning, count: late.problems.count))
        let messages = late.problems.map(\.message)
        #expect(
            messages.contains("`tls/future.pem`: the certificate for future.example expired on 2120-01-01T00:00:00Z"))
        #expect(messages.contains { $0.hasPrefix("`tls/ocsp-lapsed.der`: it held until ") })
        #expect(messages.contains { $0.hasPrefix("`tls/ca.pem`: CN=Root,O=Martlet tests expired on ") })
        let early = Self.result(text, now: 1_700_000_000)
        #expect(
            early.problems.map(\.message).contains(
                "`tls/future.pem`: the certificate for future.example holds only from 2100-01-01T00:00:00Z on"))
    }

    @Test func aNameThatNoCertificateHasIsAWarning() {
        let result = Self.result(
            Self.text(
                """
                { certificates: \(Self.both),
                  hosts: { a.api.example.com: {}, a.b.api.example.com: {}, "*.example.com": {}, "*.api.example.com": {}, "*.example.net": {} } }
                """))
        #expect(
            result.problems.map(\.message) == [
                "no certificate has the name `a.b.api.example.com`: clients get the first one",
                "no certificate has the name `*.example.net`: clients get the first one",
            ])
    }

    // MARK: Redirect

    @Test(arguments: [("true", 443), ("false", nil), ("8443", 8443)] as [(String, UInt16?)])
    func redirects(text: String, port: UInt16?) throws {
        let config = try LanguageTests.load(
            "listeners: { a: { bind: 127.0.0.1:80, redirect_to_https: \(text) } }\nroutes: [{ path: /*, respond: 200 }]"
        )
        #expect(config.listeners[0].redirectToHTTPS == port)
    }

    // MARK: Which context serves a name

    /// `name: certificates policy`, sorted.
    private func plan(_ tls: String) throws -> [String] {
        let plan = TLSContextPlan(try Self.load(tls))
        func text(_ place: Int) -> String { "\(plan.contexts[place].certificates) \(plan.contexts[place].policy)" }
        return ["standard: \(text(plan.standard))"]
            + plan.exact.map { "\($0): \(text($1))" }.sorted() + plan.wildcard.map { "*.\($0): \(text($1))" }.sorted()
    }

    @Test func namesGetOneCertificateOfEachKind() throws {
        #expect(
            try plan("{ certificates: [\(Self.both), \(Self.other), \(Self.rsa)] }") == [
                "standard: [0, 2] 0", "api.example.com: [0, 2] 0", "other.example: [1] 0",
                "*.api.example.com: [0, 2] 0",
            ])
    }

    @Test func hostsGetTheirPolicyAndTheCertificateThatCoversThem() throws {
        #expect(
            try plan(
                """
                { certificates: [\(Self.both), \(Self.other)],
                  hosts: { a.api.example.com: { ciphers: modern }, other.example: { ciphers: modern },
                           "*.api.example.com": { client_auth: { ca: tls/ca.pem } } } }
                """) == [
                    "standard: [0] 0", "a.api.example.com: [0] 1", "api.example.com: [0] 0", "other.example: [1] 1",
                    "*.api.example.com: [0] 2",
                ])
    }

    @Test func aNameOfACertificateIsUnderTheWildcardOfHosts() throws {
        let lines = try plan(
            "{ certificates: [\(Self.other), \(Self.both)], hosts: { '*.example.com': { ciphers: modern } } }")
        #expect(lines.contains("api.example.com: [1] 1"))
    }

    @Test func equalPoliciesAreOne() throws {
        let plan = TLSContextPlan(
            try Self.load(
                "{ certificates: \(Self.both), hosts: { api.example.com: { min_version: '1.2' }, a.api.example.com: {} } }"
            ))
        #expect(plan.policies.count == 1)
        #expect(plan.contexts.count == 1)
    }
}
