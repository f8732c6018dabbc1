import Config
import Synchronization
import Testing

@testable import Middleware

private final class Tagging: Middleware {
    let tag: String
    init(_ tag: String) { self.tag = tag }
    func onRequest(_ request: inout RequestContext) -> Verdict {
        request.add("X-Tag", tag) ? .next : request.reply(LocalReply(status: 500))
    }
}

@Suite struct MiddlewareInstancesTests {
    private func problems(_ kinds: [(String, MiddlewareConfig)], custom: MiddlewareKinds = MiddlewareKinds())
        -> [String]
    {
        do {
            _ = try Pipeline(kinds, custom: custom)
            return []
        } catch let error as MiddlewareProblems {
            return error.problems.map(\.message)
        } catch { return ["\(error)"] }
    }

    @Test func `Routes with the same middleware share a chain`() throws {
        let pipeline = try Pipeline([("a", .headers(HeadersConfig())), ("b", .headers(HeadersConfig()))])
        let again = try pipeline.instances.chain(for: Pipeline.route(["a", "b"]))
        #expect(again === pipeline.chain && again.count == 2)
        let other = try pipeline.instances.chain(for: Pipeline.route(["b", "a"]))
        #expect(other !== again)
        #expect(try pipeline.instances.chain(for: Pipeline.route([])).isEmpty)
    }

    @Test func `A chain has at most sixteen steps of known names`() throws {
        let pipeline = try Pipeline(.headers(HeadersConfig()))
        let most = Pipeline.route([String](repeating: "it", count: 16))
        #expect(try pipeline.instances.chain(for: most).count == 16)
        for names in [[String](repeating: "it", count: 17), ["other"]] {
            #expect(throws: MiddlewareProblems.self) { try pipeline.instances.chain(for: Pipeline.route(names)) }
        }
    }

    @Test func `Kinds of others are made from their settings and kept until these change`() async throws {
        let made = Mutex(0)
        var kinds = MiddlewareKinds()
        kinds.register("tag", keys: [.text("tag")]) { settings in
            guard let tag = settings.text("tag") else { throw InvalidSettings("`tag` is missing") }
            return Tagging(tag)
        }
        #expect(kinds.customKinds.map(\.name) == ["tag"])
        kinds.register("counted") { _ in
            made.withLock { $0 += 1 }
            return Tagging("counted")
        }
        let config: [(String, MiddlewareConfig)] = [
            ("t", .custom(kind: "tag", settings: ["tag": "x"])), ("c", .custom(kind: "counted", settings: [:])),
        ]
        let first = try Pipeline(config, custom: kinds)
        #expect(await first.answer(["GET / HTTP/1.1"]).upstream == ["X-Tag: x", "X-Tag: counted"])
        let second = try Pipeline(config, previous: first, custom: kinds)
        #expect(made.withLock { $0 } == 1)
        #expect(await second.answer(["GET / HTTP/1.1"]).upstream == ["X-Tag: x", "X-Tag: counted"])
        _ = try Pipeline(
            [("c", .custom(kind: "counted", settings: ["a": "b"]))], previous: second, custom: kinds)
        #expect(made.withLock { $0 } == 2)
        #expect(
            problems([("t", .custom(kind: "tag", settings: [:]))], custom: kinds)
                == ["middleware `t`: `tag` is missing"])
        #expect(problems([("t", .custom(kind: "none", settings: [:]))]) == ["unknown kind of middleware `none`"])
    }

    @Test func `Settings are what the section's keys say`() {
        let keys: [MiddlewareKey] = [
            .text("t", isRequired: true), .boolean("b", default: true), .integer("i", in: 1...9, default: 3),
            .duration("d", in: .zero ... .seconds(9), default: .milliseconds(1500)), .size("s", in: 0...9),
            .words("w", among: ["x"]),
        ]
        #expect(keys.map(\.row.standard) == [nil, "true", "3", "1500000000", nil, nil])
        #expect(keys.map(\.row.isRequired) == [true, false, false, false, true, true])
        let settings = MiddlewareSettings(["t": "x", "b": "true", "i": "3", "d": "1500000000"])
        #expect(settings.text("t") == "x" && settings.boolean("b") && settings.integer("i") == 3)
        #expect(settings.duration("d") == .milliseconds(1500))
        #expect(settings.text("n") == nil && !settings.boolean("n") && settings.integer("n") == 0)
    }

    @Test func `All problems are found at once`() {
        var headers = HeadersConfig()
        headers.request.set = [.init(name: "Content-Length", value: Template(literal: "1"))]
        headers.request.remove = ["a b"]
        headers.response.add = [.init(name: "X-P", value: .parts(.variable(.pathParameter("id"))))]
        var forward = ForwardAuthConfig(upstream: "u")
        forward.copyHeaders = ["Host"]
        var key = APIKeyConfig()
        key.identityHeader = "Connection"
        var cors = CORSConfig()
        cors.origins = ["*"]
        cors.credentials = true
        let found = problems([
            ("h", .headers(headers)), ("f", .forwardAuth(forward)), ("k", .apiKey(key)), ("c", .cors(cors)),
        ])
        #expect(
            found == [
                "middleware `h`: `a b` is not a field name",
                "middleware `h`: `Content-Length` is a field that only the gateway writes",
                "middleware `h`: `X-P` uses {path.…}, which a response does not know any more",
                "middleware `f`: `Host` is a field that only the gateway writes",
                "middleware `k`: `Connection` is a field that only the gateway writes",
                "middleware `c`: `credentials` with the origin `*` would let every page read answers",
            ])
    }

    @Test func `A changed kind under an old name starts anew`() async throws {
        let first = try Pipeline(.rateLimit(RateLimitConfig()))
        #expect(await first.answer(["GET / HTTP/1.1"]).status == nil)
        let second = try Pipeline(.ipFilter(IPFilterConfig()), previous: first)
        let third = try Pipeline(.rateLimit(RateLimitConfig()), previous: second)
        #expect(await third.answer(["GET / HTTP/1.1"]).status == nil)
        #expect(await third.answer(["GET / HTTP/1.1"]).status == 429)
    }
}
