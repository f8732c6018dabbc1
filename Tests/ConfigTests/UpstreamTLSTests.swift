import Net
import TLS
import Testing

@testable import Config

/// `https://` endpoints and `tls` of upstreams.
@Suite struct UpstreamTLSTests {
    private static let system = ["SSL_CERT_FILE": "tls/authorities.pem"]

    private func result(_ upstreams: String, environment: [String: String] = system, routes: String = "upstream: a")
        -> ConfigResult
    {
        ListenerTLSTests.result(
            "listen: 127.0.0.1:1\nupstreams: { \(upstreams) }\nroutes: [{ path: /*, \(routes) }]\n",
            environment: environment)
    }

    private func load(_ upstreams: String) throws -> UpstreamConfig {
        let result = result(upstreams)
        #expect(result.report() == "")
        return try #require(result.config?.upstreams.first)
    }

    @Test func endpointsAreHTTPSWithTheirPort() throws {
        let upstream = try load(
            "a: { endpoints: [https://10.0.0.1, 'https://[::1]:8443', HTTPS://Users.Internal, http://10.0.0.1] }")
        #expect(upstream.endpoints.map(\.isTLS) == [true, true, true, false])
        #expect(upstream.endpoints.map(\.authority) == ["10.0.0.1", "[::1]:8443", "users.internal", "10.0.0.1"])
        #expect(
            upstream.endpoints.map(\.target) == [
                .address(.ip(.v4(0x0A00_0001), port: 443)), .address(.ip(.v6(0, 1), port: 8443)),
                .name("users.internal", port: 443), .address(.ip(.v4(0x0A00_0001), port: 80)),
            ])
    }

    @Test func theSystemsAuthoritiesAreTakenWithoutOthers() throws {
        let tls = try #require(try load("a: https://10.0.0.1").tls)
        #expect(tls.verifies)
        #expect(tls.authorities?.count == 2)
        #expect(tls.minVersion == .tls12 && tls.serverName == nil && tls.certificate == nil)
        #expect(try load("a: { endpoints: https://10.0.0.1, tls: {} }").tls == tls)
        #expect(try load("a: http://10.0.0.1").tls == nil)
    }

    @Test func everyKeyReachesTheModel() throws {
        let tls = try #require(
            try load(
                """
                a: { endpoints: https://10.0.0.1,
                     tls: { ca: tls/ca.pem, server_name: API.Internal, cert: tls/client.pem, key: tls/client.key,
                            min_version: "1.3" } }
                """
            ).tls)
        #expect(tls.authorities?.count == 1)
        #expect(tls.serverName == "api.internal")
        #expect(tls.certificate?.leaf.subject == "CN=A client,O=Martlet tests")
        #expect(tls.minVersion == .tls13)
    }

    @Test func withoutVerificationThereIsAWarning() throws {
        let result = result("a: { endpoints: https://10.0.0.1, tls: { verify: false } }", environment: [:])
        #expect(result.problems.map(\.severity) == [.warning])
        let tls = try #require(result.config?.upstreams.first?.tls)
        #expect(!tls.verifies && tls.authorities == nil)
        #expect(result.record.files.keys.sorted() == ["martlet.yaml"])
    }

    @Test func theSystemsAuthoritiesAreInTheRecord() throws {
        let first = result("a: https://10.0.0.1")
        #expect(first.record.environment == Self.system)
        #expect(first.record.files["tls/authorities.pem"] != nil)
        #expect(ConfigLoader.load(record: first.record).config == first.config)
    }

    @Test func aURLOfARouteIsEnough() throws {
        let result = result("b: http://10.0.0.1", routes: "upstream: 'https://10.0.0.2'")
        #expect(result.report() == "")
        let upstream = try #require(result.config?.upstreams.last)
        #expect(upstream.name == "https://10.0.0.2")
        #expect(upstream.tls?.authorities?.count == 2)
    }

    @Test func httpAndHTTPSOfOneAddressAreTwoEndpoints() throws {
        let upstream = try load("a: ['http://10.0.0.1:9000', 'https://10.0.0.1:9000']")
        #expect(upstream.endpoints.count == 2)
        #expect(upstream.endpoints[0] != upstream.endpoints[1])
    }
}
