import Config
import Containers
import Digest
import HTTP
import PasswordHash
import Testing

@testable import Middleware

@Suite struct BasicAuthTests {
    private static func config(_ change: (inout BasicAuthConfig) -> Void = { _ in }) -> BasicAuthConfig {
        var config = BasicAuthConfig()
        config.realm = "staff \"only\""
        config.users = ["anna": TestHashes.bcrypt, "bert": TestHashes.yescrypt, "zoë": TestHashes.sha512]
        change(&config)
        return config
    }

    private static func base64(_ text: String) -> String {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".unicodeScalars)
        let bytes = Array(text.utf8)
        var encoded = String.UnicodeScalarView()
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let part = bytes[start..<min(start + 3, bytes.count)]
            var group = 0
            for index in 0..<3 { group = group << 8 | (index < part.count ? Int(part[start + index]) : 0) }
            for index in 0...part.count { encoded.append(digits[group >> (18 - 6 * index) & 63]) }
            for _ in part.count..<3 { encoded.append("=") }
        }
        return String(encoded)
    }

    private static func lines(_ user: String, _ password: String) -> [String] {
        ["GET / HTTP/1.1", "Authorization: Basic \(base64("\(user):\(password)"))"]
    }

    @Test(arguments: ["anna", "bert", "zoë"])
    func `The right password passes with an identity that clients cannot forge`(user: String) async throws {
        let pipeline = try Pipeline(.basicAuth(Self.config()))
        for round in 0..<3 {
            var request = TestHeads.request(Self.lines(user, "secret") + ["x.identity: root", "X_IDENTITY: root"])
            let answer = await pipeline.answer(&request)
            #expect(answer.status == nil, "round \(round)")
            #expect(answer.upstream.last == "X-Identity: \(user)" && answer.upstream.count == 2)
            check(TestHeads.text(request.identityBytes) == user)
        }
    }

    @Test func `What was right is known without suspending until it ends`() async throws {
        let pipeline = try Pipeline(.basicAuth(Self.config { $0.cache = .seconds(60) }))
        let second: Int64 = 1_000_000_000
        func outcome(_ now: Int64, _ password: String = "secret") -> ChainOutcome {
            var request = TestHeads.request(Self.lines("anna", password), now: now)
            var slots = MiddlewareChain.Slots(repeating: 0)
            return pipeline.chain.onRequest(&request, from: 0, slots: &slots)
        }
        #expect(outcome(second) == .suspend(step: 0))
        #expect(await pipeline.answer(Self.lines("anna", "secret"), now: second).status == nil)
        #expect(outcome(60 * second) == .next)
        #expect(outcome(60 * second, "secres") == .suspend(step: 0))
        #expect(outcome(61 * second) == .suspend(step: 0))
    }

    @Test(arguments: [
        ("anna", "wrong"), ("anna", ""), ("nobody", "secret"), ("", "secret"), ("Anna", "secret"), ("ann", "a:secret"),
        ("anna", "secret\0"), ("anna", String(repeating: "s", count: 700)),
    ])
    func `Anything else is refused, and refused again`(user: String, password: String) async throws {
        let pipeline = try Pipeline(.basicAuth(Self.config()))
        for _ in 0..<2 {
            let answer = await pipeline.answer(Self.lines(user, password))
            #expect(answer.status == 401)
            #expect(answer.header("WWW-Authenticate") == #"Basic realm="staff \"only\"", charset="UTF-8""#)
        }
    }

    @Test(arguments: [
        [], ["Authorization: Bearer x"], ["Authorization: Basic"], ["Authorization: Basic ="],
        ["Authorization: Basic YW5uYQ=="], ["Authorization: Basic YW5uYTpzZWNyZXQ"],
        ["Authorization: Basic YW5uYTpzZWNyZXQ=", "Authorization: Basic YW5uYTpzZWNyZXQ="],
        ["Authorization: Basic YW5uYTpzZWNyZXR="], ["Authorization: BasicYW5uYTpzZWNyZXQ="],
        ["Authorization: Basic YW5uYTpzZWNyZXQ= x"], ["Authorization: Basic " + String(repeating: "A", count: 2000)],
    ])
    func `What is no one set of credentials is refused at once`(lines: [String]) async throws {
        let pipeline = try Pipeline(.basicAuth(Self.config()))
        var request = TestHeads.request(["GET / HTTP/1.1"] + lines)
        var slots = MiddlewareChain.Slots(repeating: 0)
        check(pipeline.chain.onRequest(&request, from: 0, slots: &slots) == .reply(entered: 1))
        check(request.localReply?.status == 401)
        let snapshot = RequestSnapshot(request, localPort: 8080)
        guard case .reply(let reply) = await pipeline.chain.decide(snapshot, at: 0) else {
            Issue.record("passed")
            return
        }
        #expect(reply.status == 401)
    }

    @Test func `The scheme has no case and may be followed by spaces`() async throws {
        let answer = try await Pipeline(.basicAuth(Self.config())).answer([
            "GET / HTTP/1.1", "Authorization: bAsIc   YW5uYTpzZWNyZXQ=",
        ])
        #expect(answer.status == nil)
    }

    @Test func `Known passwords survive a reload, except those that it changes`() async throws {
        let first = try Pipeline(.basicAuth(Self.config()))
        for user in ["anna", "bert"] { #expect(await first.answer(Self.lines(user, "secret")).status == nil) }
        let changed = Self.config {
            $0.users["bert"] = TestHashes.sha256
            $0.users["zoë"] = nil
        }
        let second = try Pipeline(.basicAuth(changed), previous: first)
        func isKnown(_ user: String) -> Bool {
            var request = TestHeads.request(Self.lines(user, "secret"))
            var slots = MiddlewareChain.Slots(repeating: 0)
            return second.chain.onRequest(&request, from: 0, slots: &slots) == .next
        }
        #expect(isKnown("anna") && !isKnown("bert") && !isKnown("zoë"))
        #expect(await second.answer(Self.lines("zoë", "secret")).status == 401)
    }

    @Test func `A nobody costs a hash like a user`() async throws {
        let table = UserTable(["b": "hash-b", "a": "hash-a"])
        #expect(table.hash(nil) == "hash-a" && table.hash(1) == "hash-b")
        #expect(table.find(Array("b".utf8).span) == 1 && table.find(Array("c".utf8).span) == nil)
        #expect(UserTable([:]).find([UInt8]().span) == nil)
    }

    @Test func `The cache is bounded and forgets what ends first`() {
        let cache = CredentialCache()
        for number in 0..<20_000 {
            var digest = InlineArray<32, UInt8>(repeating: 0)
            for index in 0..<4 { digest[index] = UInt8(truncatingIfNeeded: number &* 40_503 >> (8 * index)) }
            cache.insert(digest, until: Instant(nanoseconds: Int64(1000 + number)))
            #expect(cache.contains(digest, now: Instant(nanoseconds: Int64(999 + number))))
            #expect(!cache.contains(digest, now: Instant(nanoseconds: Int64(1000 + number))))
        }
    }

    @Test func `Base64 agrees with an encoder and refuses every other form`() {
        var random = RandomSource(seed: 3)
        for count in 1..<60 {
            let text = String(decoding: (0..<count).map { _ in UInt8(random.below(128)) }, as: UTF8.self)
            let encoded = Array(Self.base64(text).utf8)
            var output = Buffer(capacity: 100)
            check(Base64.decode(encoded.span, to: &output))
            check(TestHeads.text(output.span) == text)
            output.clear()
            check(!Base64.decode(Array(encoded.dropLast()).span, to: &output))
            output.clear()
            check(!Base64.decode((encoded + [0x3D]).span, to: &output))
        }
        for text in ["", "=", "====", "A===", "AB=C", "AA=A", "AB==", "AAB=", "A*==", "AAAA====", "AA A"] {
            var output = Buffer(capacity: 100)
            check(!Base64.decode(Array(text.utf8).span, to: &output))
        }
    }

    @Test func `Hashes that are not supported are problems of the configuration`() {
        do {
            _ = try Pipeline(
                .basicAuth(
                    Self.config { $0.users = ["a:b": TestHashes.bcrypt, "old": "$1$saltsalt$9xy1btjgzLYfb7hivXtC//"] }))
            Issue.record("accepted")
        } catch let problems as MiddlewareProblems {
            #expect(problems.problems.map(\.message).count == 2)
            #expect(problems.problems.allSatisfy { !$0.message.contains("saltsalt") })
        } catch { Issue.record("\(error)") }
    }
}
