import Config
import Containers
import Digest
import HTTP
import Net
import Testing

@testable import Middleware

@Suite struct AccessTests {
    private func sha256(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        let digest = SHA256.digest(bytes.span)
        return (0..<32).map { digest[$0] }
    }

    private func keys(_ source: APIKeyConfig.Source, hide: Bool = true) -> MiddlewareConfig {
        var config = APIKeyConfig()
        config.source = source
        config.keys = [sha256("k1"): "anna", sha256("k&2"): "bert"]
        for number in 0..<50 { config.keys[sha256("more\(number)")] = "client\(number)" }
        config.hide = hide
        return .apiKey(config)
    }

    @Test func `A key in a header names the client, and only us can`() async throws {
        let pipeline = try Pipeline(keys(.header("x-api-key")))
        var request = TestHeads.request([
            "GET / HTTP/1.1", "X-API-Key: k1", "x_identity: root", "X.Identity: root", "A: 1",
        ])
        let answer = await pipeline.answer(&request)
        #expect(answer.status == nil)
        #expect(answer.upstream == ["A: 1", "X-Identity: anna"])
        check(TestHeads.text(request.identityBytes) == "anna")
        for number in 0..<50 {
            let answer = await pipeline.answer(["GET / HTTP/1.1", "x-api-key: more\(number)"])
            #expect(answer.upstream == ["X-Identity: client\(number)"])
        }
    }

    @Test(arguments: [
        ["X-Api-Key: k"], ["X-Api-Key: k1x"], ["X-Api-Key:"], [], ["X-Api-Key: k1", "x-api-key: k1"], ["X_Api_Key: k1"],
        ["X-Api-Key: k1, k1"],
    ])
    func `Without exactly one right key nothing passes`(lines: [String]) async throws {
        let answer = try await Pipeline(keys(.header("x-api-key"))).answer(["GET / HTTP/1.1"] + lines)
        #expect(answer.status == 401 && answer.header("WWW-Authenticate") != nil)
    }

    @Test(
        arguments: [
            ("/p?key=k1", "/p", nil), ("/p?a=1&key=k1&b=%20", "/p?a=1&b=%20", "a=1&b=%20"),
            ("/p?key=k1&b", "/p?b", "b"),
            ("/p?a&&key=%6B1", "/p?a", "a"), ("/p?k%65y=k%261", nil, nil), ("/p?key=k1&k%65y=k1", nil, nil),
            ("/p?key", nil, nil), ("/p?key=", nil, nil), ("/p", nil, nil), ("/p?Key=k1", nil, nil),
            ("/p?%6bey=k%262", "/p", nil),
            ("/p?key=k1%", nil, nil), ("/p?b=x&key=k1", "/p?b=x", "b=x"),
        ] as [(String, String?, String?)])
    func `A key in the query is taken out of it`(target: String, left: String?, query: String?) async throws {
        let pipeline = try Pipeline(keys(.query("key")))
        var request = TestHeads.request(["GET \(target) HTTP/1.1", "Host: a"])
        let answer = await pipeline.answer(&request)
        #expect(answer.status == (left == nil ? 401 : nil))
        guard let left else { return }
        check(TestHeads.text(request.slice(request.head.target)) == left)
        check(request.head.query.map { TestHeads.text(request.slice($0)) } == query)
        let head = TestHeads.text(request.bytes.span)
        #expect(!head.contains("k1") && head.hasPrefix("GET \(left) ") && head.contains(" HTTP/1.1\r\nHost: a"))
        check(RequestScan.target(in: request.bytes.span).count == left.utf8.count)
    }

    @Test func `A key stays in the request when it is not hidden`() async throws {
        let answer = try await Pipeline(keys(.header("x-api-key"), hide: false)).answer([
            "GET / HTTP/1.1", "X-API-Key: k1",
        ])
        #expect(answer.upstream == ["X-API-Key: k1", "X-Identity: anna"])
    }

    @Test func `Removing a parameter agrees with joining the others`() {
        var random = RandomSource(seed: 21)
        let pieces = ["a", "b=1", "key", "key=x", "k%65y=y", "", "key=%26", "keys=1"]
        for _ in 0..<2000 {
            let parts = (0..<random.below(6)).map { _ in pieces[random.below(pieces.count)] }
            var request = TestHeads.request(["GET /p?\(parts.joined(separator: "&")) HTTP/1.1"])
            request.removeQueryParameters(Array("key".utf8).span)
            let kept = parts.filter { !$0.isEmpty && $0 != "key" && !$0.hasPrefix("key=") && !$0.hasPrefix("k%") }
            let query = kept.joined(separator: "&")
            check(request.head.query.map { TestHeads.text(request.slice($0)) } == (query.isEmpty ? nil : query))
        }
    }

    @Test func `An address set agrees with its blocks`() throws {
        var random = RandomSource(seed: 5)
        let blocks =
            try (0..<40).map { number in
                number % 2 == 0
                    ? CIDRBlock(
                        address: .v4(UInt32(truncatingIfNeeded: random.next()) & 0xFF), prefix: 24 + random.below(9))
                    : CIDRBlock(address: .v6(0, random.next() & 0xFF), prefix: 120 + random.below(9))
            } + [CIDRBlock(parsing: "2001:db8::/32")]
        let set = AddressSet(blocks)
        var inside = 0
        for number in 0..<512 as Range<UInt64> {
            for address in [
                IPAddress.v4(UInt32(number)), .v6(0, number), .v6(0x2001_0db8_0000_0000 + (number << 30), number),
                .v6(0, 0xFFFF_0000_0000 | number),
            ] {
                let expected = blocks.contains { $0.contains(address) || $0.contains(address.canonical) }
                #expect(set.contains(address) == expected)
                if expected { inside += 1 }
            }
        }
        #expect(inside > 100 && inside < 1800)
        #expect(!AddressSet([]).contains(.v4(1)))
        #expect(AddressSet([try CIDRBlock(parsing: "::/0")]).contains(.v4(1)))
    }

    @Test(arguments: [
        ("10.1.2.3", [], [], true), ("10.1.2.3", ["10.0.0.0/8"], [], true), ("11.1.2.3", ["10.0.0.0/8"], [], false),
        ("10.1.2.3", ["10.0.0.0/8"], ["10.1.0.0/16"], false), ("10.2.2.3", [], ["10.1.0.0/16"], true),
        ("::ffff:10.1.2.3", [], ["10.1.0.0/16"], false), ("2001:db8::1", ["2001:db8::/32"], [], true),
        ("0.0.0.0", ["10.0.0.0/8"], [], false),
    ])
    func `An IP filter denies first and then allows what is listed`(
        client: String, allow: [String], deny: [String], passes: Bool
    ) async throws {
        var config = IPFilterConfig()
        config.allow = try allow.map { try CIDRBlock(parsing: $0) }
        config.deny = try deny.map { try CIDRBlock(parsing: $0) }
        var request = TestHeads.request(client: try #require(IPAddress(client)))
        #expect(try await Pipeline(.ipFilter(config)).answer(&request).status == (passes ? nil : 403))
    }

    @Test func `A body limit refuses announced lengths and lowers the limit for the others`() async throws {
        var config = BodyLimitConfig()
        config.maxBytes = 10
        let pipeline = try Pipeline(.bodyLimit(config))
        #expect(await pipeline.answer(["POST / HTTP/1.1", "Content-Length: 11"]).status == 413)
        var request = TestHeads.request(["POST / HTTP/1.1", "Content-Length: 10"])
        #expect(await pipeline.answer(&request).status == nil)
        check(request.bodyLimit == 10)
        request.limitBody(to: 20)
        check(request.bodyLimit == 10)
    }

    @Test(arguments: [
        (true, ["X-Trace: abc-1"], "abc-1"), (false, ["X-Trace: abc-1"], "0123456789abcdef0123456789abcdef"),
        (true, ["X-Trace: a b"], "0123456789abcdef0123456789abcdef"),
        (true, ["X-Trace:"], "0123456789abcdef0123456789abcdef"),
        (true, ["X-Trace: a", "X-Trace: b"], "0123456789abcdef0123456789abcdef"),
        (true, ["X-Trace: " + String(repeating: "a", count: 129)], "0123456789abcdef0123456789abcdef"),
    ])
    func `A request id comes from a client only if it may and is safe`(trust: Bool, lines: [String], id: String)
        async throws
    {
        var config = RequestIDConfig()
        config.header = "X-Trace"
        config.trustClients = trust
        let pipeline = try Pipeline(.requestID(config))
        var request = TestHeads.request(["GET / HTTP/1.1"] + lines)
        let answer = await pipeline.answer(&request)
        #expect(answer.upstream == ["X-Trace: \(id)"])
        check(TestHeads.text(request.requestIDBytes) == id)
        #expect(answer.response == ["X-Trace: 0123456789abcdef0123456789abcdef"])
    }
}
