import Config
import Containers
import HTTP
import Synchronization

@testable import Middleware

/// A chain of the kinds of the configuration, as the gateway builds it.
struct Pipeline {
    static let location = Location(file: "test.yaml", line: 1, column: 1)

    let instances: MiddlewareInstances
    let chain: MiddlewareChain

    init(
        _ kinds: [(String, MiddlewareConfig)], previous: Pipeline? = nil, custom: MiddlewareKinds = MiddlewareKinds(),
        sender: any SubrequestSender = NoSender()
    ) throws {
        instances = try MiddlewareInstances(
            kinds.map { NamedMiddleware(name: $0.0, kind: $0.1, location: Self.location) },
            previous: previous?.instances, custom: custom, subrequests: sender)
        chain = try instances.chain(for: Self.route(kinds.map(\.0)))
    }

    init(_ kind: MiddlewareConfig, previous: Pipeline? = nil, sender: any SubrequestSender = NoSender()) throws {
        try self.init([("it", kind)], previous: previous, sender: sender)
    }

    static func route(_ middleware: [String]) -> RouteConfig {
        var route = RouteConfig(
            name: "test", path: RouteConfig.Path(segments: [], hasTrailingSlash: true, source: "/"),
            action: .upstream("u"), location: location)
        route.middleware = middleware
        return route
    }

    /// Runs the request phase, asynchronous steps included, as the engine does.
    func run(_ request: inout RequestContext, _ slots: inout MiddlewareChain.Slots) async -> ChainOutcome {
        var outcome = chain.onRequest(&request, from: 0, slots: &slots)
        while case .suspend(let step) = outcome {
            let decision = await chain.decide(RequestSnapshot(request, localPort: 8080), at: step)
            switch chain.apply(decision, to: &request, at: step) {
            case .next: outcome = chain.onRequest(&request, from: step + 1, slots: &slots)
            default: outcome = .reply(entered: step + 1)
            }
        }
        return outcome
    }

    /// Status of the reply, or nil when the request passes, and what goes upstream.
    func answer(_ request: inout RequestContext) async -> Answer {
        var slots = MiddlewareChain.Slots(repeating: 0)
        let outcome = await run(&request, &slots)
        var response = TestHeads.response(request: [TestHeads.text(request.bytes.span)], isLocal: outcome != .next)
        chain.onResponse(&response, entered: chain.count, slots: slots)
        return Answer(
            reply: outcome == .next ? nil : request.localReply, upstream: TestHeads.sent(request),
            response: TestHeads.sent(response))
    }

    func answer(_ lines: [String], now: Int64 = 1_000_000_000) async -> Answer {
        var request = TestHeads.request(lines, now: now)
        return await answer(&request)
    }

    struct Answer {
        let reply: LocalReply?
        let upstream: [String]
        /// Fields that the response phase leaves and adds.
        let response: [String]

        var status: Int? { reply?.status }
        func header(_ name: String) -> String? { reply?.headers.first { $0.name == name }?.value }
    }
}

struct NoSender: SubrequestSender {
    struct Failure: Error {}
    func send(_ request: Subrequest) async throws -> SubrequestResponse { throw Failure() }
}

/// Answers from a list and keeps what was sent.
final class FakeSender: SubrequestSender {
    private let answers: Mutex<[SubrequestResponse]>
    private let requests = Mutex<[Subrequest]>([])

    init(_ answers: SubrequestResponse...) { self.answers = Mutex(answers) }

    var sent: [Subrequest] { requests.withLock { $0 } }

    func send(_ request: Subrequest) async throws -> SubrequestResponse {
        requests.withLock { $0.append(request) }
        guard let answer = answers.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) else { throw NoSender.Failure() }
        return answer
    }
}
