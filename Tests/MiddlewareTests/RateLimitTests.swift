import Config
import HTTP
import Net
import Testing

@testable import Middleware

@Suite struct RateLimitTests {
    private static let second: Int64 = 1_000_000_000

    private func config(_ count: Int, burst: Int, key: [Variable] = [.clientIP], headers: Bool = true)
        -> RateLimitConfig
    {
        var config = RateLimitConfig()
        (config.count, config.burst, config.key, config.headers) = (count, burst, key, headers)
        return config
    }

    @Test func `Requests beyond the burst are refused with the time to come back`() async throws {
        let pipeline = try Pipeline([("edge", .rateLimit(config(2, burst: 3)))])
        for remaining in [2, 1, 0] {
            let answer = await pipeline.answer(["GET / HTTP/1.1"])
            #expect(answer.status == nil)
            #expect(
                answer.response == [
                    "RateLimit: \"edge\";r=\(remaining);t=\(remaining == 2 ? 1 : remaining == 1 ? 1 : 2)",
                    "RateLimit-Policy: \"edge\";q=3;w=2",
                ])
        }
        let refused = await pipeline.answer(["GET / HTTP/1.1"])
        #expect(refused.status == 429 && refused.reply?.code == .rateLimited)
        #expect(refused.header("Retry-After") == "1")
        #expect(refused.response.first == "RateLimit: \"edge\";r=0;t=1")
    }

    @Test func `Refused requests do not count`() async throws {
        let pipeline = try Pipeline(.rateLimit(config(1, burst: 1)))
        #expect(await pipeline.answer(["GET / HTTP/1.1"], now: 10 * Self.second).status == nil)
        for _ in 0..<50 {
            #expect(await pipeline.answer(["GET / HTTP/1.1"], now: 10 * Self.second + 1).status == 429)
        }
        #expect(await pipeline.answer(["GET / HTTP/1.1"], now: 11 * Self.second).status == nil)
    }

    @Test func `Clients of one IPv6 network count as one`() async throws {
        let pipeline = try Pipeline(.rateLimit(config(1, burst: 5)))
        var admitted = 0
        for number in 0..<1000 as Range<UInt64> {
            var request = TestHeads.request(client: .v6(0x2001_0db8_0000_0001, number << 32 | number))
            if await pipeline.answer(&request).status == nil { admitted += 1 }
        }
        #expect(admitted == 5)
        var other = TestHeads.request(client: .v6(0x2001_0db8_0000_0002, 1))
        #expect(await pipeline.answer(&other).status == nil)
    }

    @Test func `A key of several parts tells requests apart by all of them`() async throws {
        let pipeline = try Pipeline(.rateLimit(config(1, burst: 1, key: [.header("x-key"), .route])))
        var first = TestHeads.request(["GET / HTTP/1.1", "X-Key: a"], route: "one")
        #expect(await pipeline.answer(&first).status == nil)
        var otherRoute = TestHeads.request(["GET / HTTP/1.1", "X-Key: a"], route: "two")
        #expect(await pipeline.answer(&otherRoute).status == nil)
        var otherKey = TestHeads.request(["GET / HTTP/1.1", "X-Key: b"], route: "one")
        #expect(await pipeline.answer(&otherKey).status == nil)
        var again = TestHeads.request(["GET / HTTP/1.1", "x-key: a"], route: "one", now: 1_000_000_001)
        #expect(await pipeline.answer(&again).status == 429)
    }

    @Test func `Without fields the response says nothing of the limit`() async throws {
        let pipeline = try Pipeline(.rateLimit(config(1, burst: 1, headers: false)))
        #expect(await pipeline.answer(["GET / HTTP/1.1"]).response == [])
        #expect(await pipeline.answer(["GET / HTTP/1.1"]).header("Retry-After") == "1")
    }

    @Test(arguments: [
        ("a b", 100, 200, "\"a b\";q=200;w=2"), ("q\"\\é", 1, 1, "\"q\\\"\\\\__\";q=1;w=1"),
        ("fast", 1000, 10, "\"fast\";q=1000;w=1"),
    ])
    func `The policy is a structured field`(name: String, count: Int, burst: Int, value: String) async throws {
        let pipeline = try Pipeline([(name, .rateLimit(config(count, burst: burst)))])
        #expect(await pipeline.answer(["GET / HTTP/1.1"]).response.last == "RateLimit-Policy: \(value)")
    }

    @Test func `A limit keeps its counts over a reload, also when its rate changes`() async throws {
        let first = try Pipeline(.rateLimit(config(1, burst: 2)))
        #expect(await first.answer(["GET / HTTP/1.1"]).status == nil)
        #expect(await first.answer(["GET / HTTP/1.1"]).status == nil)
        let second = try Pipeline(.rateLimit(config(1, burst: 3)), previous: first)
        #expect(await second.answer(["GET / HTTP/1.1"]).status == nil)
        #expect(await second.answer(["GET / HTTP/1.1"]).status == 429)
        #expect(await first.answer(["GET / HTTP/1.1"]).status == 429)
        let renamed = try Pipeline([("other", .rateLimit(config(1, burst: 3)))], previous: first)
        #expect(await renamed.answer(["GET / HTTP/1.1"]).status == nil)
        #expect(second.instances.forgivenDebts.map(\.name) == ["it"])
    }
}
