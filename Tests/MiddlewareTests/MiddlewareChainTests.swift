import Config
import HTTP
import Synchronization
import Testing

@testable import Middleware

/// Writes down what was called and says what it was told to say.
private final class Recorder: Middleware {
    let name: String
    let verdict: Verdict
    let journal: Journal

    init(_ name: String, _ verdict: Verdict = .next, _ journal: Journal) {
        (self.name, self.verdict, self.journal) = (name, verdict, journal)
    }

    func onRequest(_ request: inout RequestContext) -> Verdict {
        journal.add("\(name)>")
        request.slot += UInt64(name.utf8.first ?? 0)
        return verdict == .reply ? request.reply(LocalReply(status: 418)) : verdict
    }

    func onResponse(_ response: inout ResponseContext) {
        journal.add("<\(name)\(response.slot)")
    }
}

private final class Journal: Sendable {
    private let lines = Mutex<[String]>([])
    func add(_ line: String) { lines.withLock { $0.append(line) } }
    var text: String { lines.withLock { $0.joined(separator: " ") } }
}

private struct Waiter: AsyncMiddleware {
    let decision: AsyncDecision
    func decide(_ request: RequestSnapshot) async -> AsyncDecision { decision }
}

@Suite struct MiddlewareChainTests {
    @Test func `Steps run in order and see the response in reverse, each with its slot`() {
        let journal = Journal()
        let chain = MiddlewareChain([.custom(Recorder("a", .next, journal)), .custom(Recorder("b", .next, journal))])
        var request = TestHeads.request()
        var slots = MiddlewareChain.Slots(repeating: 0)
        check(chain.onRequest(&request, from: 0, slots: &slots) == .next)
        var response = TestHeads.response()
        chain.onResponse(&response, entered: chain.count, slots: slots)
        check(journal.text == "a> b> <b98 <a97")
    }

    @Test func `A reply stops the chain, and the steps that saw the request see it`() {
        let journal = Journal()
        let chain = MiddlewareChain([
            .custom(Recorder("a", .next, journal)), .custom(Recorder("b", .reply, journal)),
            .custom(Recorder("c", .next, journal)),
        ])
        var request = TestHeads.request()
        var slots = MiddlewareChain.Slots(repeating: 0)
        check(chain.onRequest(&request, from: 0, slots: &slots) == .reply(entered: 2))
        check(request.localReply?.status == 418)
        var response = TestHeads.response(isLocal: true)
        chain.onResponse(&response, entered: 2, slots: slots)
        check(journal.text == "a> b> <b98 <a97")
    }

    @Test func `A suspended chain goes on behind the step that suspended it`() async {
        let journal = Journal()
        let decision = AsyncDecision.next(
            set: [.init("X-User", "anna")], remove: ["X-Role"], identity: Array("anna".utf8))
        let chain = MiddlewareChain([
            .custom(Recorder("a", .next, journal)), .asynchronous(Waiter(decision: decision)),
            .custom(Recorder("c", .next, journal)),
        ])
        var request = TestHeads.request(["GET / HTTP/1.1", "x_user: evil", "X-Role: admin", "A: 1"])
        var slots = MiddlewareChain.Slots(repeating: 0)
        check(chain.onRequest(&request, from: 0, slots: &slots) == .suspend(step: 1))
        let decided = await chain.decide(RequestSnapshot(request, localPort: 8080), at: 1)
        check(chain.apply(decided, to: &request, at: 1) == .next)
        check(chain.onRequest(&request, from: 2, slots: &slots) == .next)
        check(journal.text == "a> c>")
        #expect(TestHeads.sent(request) == ["A: 1", "X-User: anna"])
        check(TestHeads.text(request.identityBytes) == "anna")
    }

    @Test func `A decision that cannot be carried out is an error`() {
        let chain = MiddlewareChain([.asynchronous(Waiter(decision: .next()))])
        let long = [UInt8](repeating: 0x61, count: 600)
        let decisions: [AsyncDecision] = [
            .next(set: [.init("X-A", "a\nb")]), .next(set: [.init("Host", "a")]), .next(identity: long),
            .next(identity: [10]),
        ]
        for decision in decisions {
            var request = TestHeads.request()
            check(chain.apply(decision, to: &request, at: 0) == .reply)
            check(request.localReply?.status == 503)
        }
    }

    @Test func `A reply that was not set is an error, and so is suspending without being asynchronous`() {
        struct Silent: Middleware {
            let verdict: Verdict
            func makeStep() -> MiddlewareStep { .custom(self) }
            func onRequest(_ request: inout RequestContext) -> Verdict { verdict }
        }
        for verdict in [Verdict.reply, .suspend] {
            var request = TestHeads.request()
            var slots = MiddlewareChain.Slots(repeating: 0)
            let chain = MiddlewareChain([.custom(Silent(verdict: verdict))])
            check(chain.onRequest(&request, from: 0, slots: &slots) == .reply(entered: 1))
            check(request.localReply?.status == 503)
        }
    }

    @Test func `A snapshot has owned copies of what goes upstream`() {
        var request = TestHeads.request([
            "GET /a?b=c HTTP/1.1", "Host: H.test:80", "Accept: x", "Drop: y", "X-Forwarded-Proto: https",
        ])
        request.remove("Drop")
        check(request.add("Added", "z"))
        let snapshot = RequestSnapshot(request, localPort: 8080)
        #expect(snapshot.uri == "/a?b=c" && snapshot.method == "GET" && snapshot.host == "h.test")
        #expect(snapshot.client == "10.0.0.1" && snapshot.scheme == "http" && snapshot.route == "test")
        #expect(snapshot.fields.map(\.name) == ["Host", "Accept", "X-Forwarded-Proto", "Added"])
        #expect(snapshot.string(of: "ACCEPT") == "x" && snapshot.string(of: "Drop") == nil)
    }

    @Test func `Headers are edited in both directions`() throws {
        var config = HeadersConfig()
        config.request.remove = ["cookie"]
        config.request.set = [
            .init(name: "Authorization", value: Template(literal: "Bearer t")),
            .init(name: "X-User", value: .parts("u-", .variable(.pathParameter("id")))),
        ]
        config.request.add = [.init(name: "X-Tag", value: .parts(.variable(.header("x-tag")), "+"))]
        config.response.set = [.init(name: "X-Frame-Options", value: Template(literal: "DENY"))]
        config.response.add = [.init(name: "X-Id", value: .parts(.variable(.requestID)))]
        config.response.remove = ["server"]
        let chain = try Pipeline(.headers(config)).chain
        var request = TestHeads.request(
            ["GET /u/42 HTTP/1.1", "Cookie: a", "authorization: evil", "x_user: evil", "X-Tag: t"],
            parameters: [("id", "42")])
        var slots = MiddlewareChain.Slots(repeating: 0)
        check(chain.onRequest(&request, from: 0, slots: &slots) == .next)
        #expect(TestHeads.sent(request) == ["X-Tag: t", "Authorization: Bearer t", "X-User: u-42", "X-Tag: t+"])
        var response = TestHeads.response(["HTTP/1.1 200 OK", "Server: s", "x-frame-options: ALLOW"])
        chain.onResponse(&response, entered: 1, slots: slots)
        #expect(
            TestHeads.sent(response) == ["X-Frame-Options: DENY", "X-Id: 0123456789abcdef0123456789abcdef"])
    }

    @Test func `A header that does not fit refuses the request`() throws {
        var config = HeadersConfig()
        config.request.set = [
            .init(name: "X-Copy", value: .parts(.variable(.header("big")), .variable(.header("big"))))
        ]
        let chain = try Pipeline(.headers(config)).chain
        var request = TestHeads.request(["GET / HTTP/1.1", "Big: " + String(repeating: "a", count: 10_000)])
        var slots = MiddlewareChain.Slots(repeating: 0)
        check(chain.onRequest(&request, from: 0, slots: &slots) == .reply(entered: 1))
        check(request.localReply?.status == 503)
    }
}
