import Containers
import EventLoop
import HTTP
import Middleware
import Proxy
import Upstream

/// What a call came to.
package struct CallResult: Sendable {
    let nonce: String
    var head: ClientCallHead?
    var body: [UInt8] = []
    var isComplete = false
    /// Why it is not.
    var failure: ClientCallFailure?
}

/// A program that uses the gateway's own client: each call is a task on one executor, and its answer is checked as any
/// client's is.
final class FakeCaller {
    private let network: SimulatedNetwork
    private let shadow: ShadowModel
    private let desk: VirtualDesk
    private let executor: WorkerExecutor
    private let inboxes: [Inbox]
    /// Of no configuration.
    private let origin: UpstreamState
    private var running = 0
    private var waiting: Int

    init(
        _ plans: [ExchangePlan], origin: UpstreamState, inboxes: [Inbox], executor: WorkerExecutor, desk: VirtualDesk,
        network: SimulatedNetwork, shadow: ShadowModel
    ) {
        self.network = network
        self.shadow = shadow
        self.desk = desk
        self.executor = executor
        self.inboxes = inboxes
        self.origin = origin
        waiting = plans.count
        for plan in plans {
            network.after(10_000_000 + Int64(network.random.below(2_000)) * 1_000_000) { [unowned self] in
                begin(plan)
            }
        }
    }

    var isDone: Bool { waiting == 0 && running == 0 }

    private func begin(_ plan: ExchangePlan) {
        waiting -= 1
        running += 1
        let exchange = shadow.begin(plan, connection: nil)
        exchange.isFullySent = true
        network.note { "a call sends \(plan.nonce) \(plan.method)" }
        let inbox = inboxes[network.random.below(inboxes.count)]
        let handle = ClientCallHandle(inbox: inbox)
        let request = Self.request(plan, handle, origin)
        let task = Self.start(plan, request, handle, desk, executor)
        if plan.callCancelledAfter > 0 {
            network.after(plan.callCancelledAfter) { [self] in
                guard exchange.outcome == nil else { return }
                network.inflicts(.callCancelled)
                exchange.taints.append("cancelled")
                task.cancel()
            }
        }
    }

    private static func request(
        _ plan: ExchangePlan, _ handle: ClientCallHandle, _ origin: UpstreamState
    ) -> ClientCallRequest {
        let content = Payload.bytes(plan.nonce, .request, count: plan.requestBody.count)
        var fields = "X-Nonce: \(plan.nonce)\r\nX-Filler: \(String(repeating: "f", count: plan.fillerCount))\r\n"
        let body: ClientCallRequest.Body
        switch plan.requestBody {
        case .none, .untilClose: body = .none
        case .length(let count):
            fields += "Content-Length: \(count)\r\n"
            body = plan.callStreams ? .stream(length: count) : .bytes(content)
        case .chunked:
            fields += "Transfer-Encoding: chunked\r\n"
            body = .stream(length: nil)
        }
        let method = Array(plan.method.utf8)
        return ClientCallRequest(
            target: plan.cutSeed % 3 == 0 ? .origin(origin) : .named("origin"), method: Method.recognise(method.span),
            requestLine: Array("\(plan.method) /c/\(plan.nonce)?fill=\(plan.cutSeed % 97) HTTP/1.1\r\n".utf8),
            host: Array("a.test".utf8), fields: Array((fields + "\r\n").utf8), body: body, timeouts: nil, total: nil,
            handle: handle)
    }

    private static func start(
        _ plan: ExchangePlan, _ request: ClientCallRequest, _ handle: ClientCallHandle, _ desk: VirtualDesk,
        _ executor: WorkerExecutor
    ) -> Task<Void, Never> {
        Task(executorPreference: executor) { await call(plan, request, handle, desk, executor) }
    }

    @Sendable private static func call(
        _ plan: ExchangePlan, _ request: ClientCallRequest, _ handle: ClientCallHandle, _ desk: VirtualDesk,
        _ executor: WorkerExecutor
    ) async {
        var result = CallResult(nonce: plan.nonce)
        handle.start(request)
        if plan.callStreams {
            handle.setUploader(Task(executorPreference: executor) { await feed(plan, handle) })
        }
        do {
            result.head = try await handle.head()
            while let piece = try await handle.nextPiece() {
                result.body += piece
                if plan.callReadsSlowly { await desk.sleep(3_000_000) }
            }
            result.isComplete = true
        } catch {
            result.failure = error as? ClientCallFailure
        }
        desk.finish(result)
    }

    @Sendable private static func feed(_ plan: ExchangePlan, _ handle: ClientCallHandle) async {
        var rest = Payload.bytes(plan.nonce, .request, count: plan.requestBody.count)[...]
        while !rest.isEmpty {
            guard await handle.waitForContentDemand() else { return }
            let piece = rest.prefix(1 + Int(plan.cutSeed % 30_000))
            handle.send(Array(piece))
            rest = rest.dropFirst(piece.count)
        }
        handle.endContent()
    }

    /// What tasks have left on the desk.
    func take(_ results: [CallResult]) {
        for result in results {
            running -= 1
            guard let exchange = shadow.exchange(result.nonce) else { continue }
            let plan = exchange.plan
            if let head = result.head { check(head, exchange) }
            if !Payload.stands(result.body, at: 0, in: Self.expected(plan)), plan.originDefect.map(isMalformed) != true
            {
                network.violate("\(plan.nonce): wrong bytes in the answer to a call")
            }
            if result.isComplete, let head = result.head {
                if result.body.count != Self.expected(plan).count, !exchange.taints.contains("short answer") {
                    network.violate("\(plan.nonce): \(result.body.count) bytes looked complete to a call")
                }
                shadow.end(exchange, .origin(status: head.status))
            } else if exchange.taints.contains("cancelled") {
                shadow.end(exchange, .gaveUp)
            } else if result.head != nil {
                shadow.end(exchange, .cut)
            } else {
                shadow.end(exchange, .local(status: 502, code: "call: \(result.failure.map { "\($0)" } ?? "?")"))
            }
        }
    }

    private static func expected(_ plan: ExchangePlan) -> [UInt8] {
        plan.answerHasBody ? Payload.bytes(plan.nonce, .response, count: plan.responseBody.count) : []
    }

    private func isMalformed(_ defect: ExchangePlan.OriginDefect) -> Bool {
        if case .malformed = defect { true } else { false }
    }

    private func check(_ head: ClientCallHead, _ exchange: ShadowModel.Exchange) {
        let plan = exchange.plan
        let nonces = head.fields.filter { $0.name.lowercased() == "x-nonce" }.map {
            String(decoding: $0.value, as: UTF8.self)
        }
        if nonces != [plan.nonce] { network.violate("\(plan.nonce): a call got the answer of \(nonces)") }
        if plan.originDefect.map(isMalformed) != true, head.status != plan.status {
            network.violate("\(plan.nonce): status \(head.status) in place of \(plan.status)")
        }
    }
}
