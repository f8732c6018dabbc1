import Config
import HTTP
import Testing

@testable import Middleware

@Suite struct IdentityFieldsTests {
    private func sent(_ kinds: [MiddlewareConfig], _ lines: [String]) -> [String] {
        let config = kinds.map { NamedMiddleware(name: "it", kind: $0, location: Pipeline.location) }
        var request = TestHeads.request(["GET / HTTP/1.1"] + lines)
        IdentityFields(config).remove(from: &request)
        return TestHeads.sent(request)
    }

    private static let long = String(repeating: "x", count: 70)
    private static let lines = [
        "X-Identity: 1", "x.identity: 2", "X_USER: 3", "X-Use: 4", "X-Userr: 5", "\(long): 6", "\(long)y: 7", "A: 8",
    ]

    private static func forwardAuth(request: [String], copy: [String]) -> MiddlewareConfig {
        var config = ForwardAuthConfig(upstream: "auth")
        config.requestHeaders = request
        config.copyHeaders = copy
        return .forwardAuth(config)
    }

    @Test func `A configuration that proves nobody takes nothing`() {
        #expect(sent([.headers(HeadersConfig()), .cors(CORSConfig())], Self.lines) == Self.lines)
        check(IdentityFields([]).isEmpty)
    }

    @Test func `Every spelling of every identity field goes, and nothing else`() {
        let forward = Self.forwardAuth(request: [], copy: ["X-User", Self.long])
        #expect(
            sent([.apiKey(APIKeyConfig()), forward], Self.lines) == [
                "X-Use: 4", "X-Userr: 5", "\(Self.long)y: 7", "A: 8",
            ])
        #expect(sent([.basicAuth(BasicAuthConfig())], Self.lines) == Array(Self.lines.dropFirst(2)))
    }

    @Test func `What clients are meant to send stays`() {
        var key = APIKeyConfig()
        key.source = .header("x-key")
        let kinds: [MiddlewareConfig] = [
            .apiKey(key),
            Self.forwardAuth(request: ["x-own"], copy: ["X-Own", "X-Other", "X-Key", "Authorization", "cookie"]),
            Self.forwardAuth(request: ["x-other", "x-identity"], copy: []),
        ]
        let lines = ["X-Own: 1", "X-Other: 2", "X-Key: 3", "Authorization: 4", "Cookie: 5", "X-Identity: 6"]
        #expect(sent(kinds, lines) == ["X-Own: 1", "X-Key: 3", "Authorization: 4", "Cookie: 5"])
    }
}
