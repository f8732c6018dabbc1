import Containers
import EventLoop
import HTTP
import Middleware

/// Requests whose middleware decides elsewhere: parked, started, resumed through the inbox.
extension Worker where Driver: ~Copyable {
    /// How long an asynchronous middleware may take. The key tables bound the limits that kinds have of their own by it.
    private static var decisionTimeout: Int64 { 30_000_000_000 }

    mutating func suspend(_ exchange: SlabKey, _ route: RouteState, step: Int) {
        let localPort = downstreams[exchanges[exchange].downstream].localPort
        let snapshot = RequestSnapshot(request, localPort: localPort)
        var parked = RequestContext()
        swap(&parked, &request)
        exchanges[exchange].phase = .suspended(step: step)
        exchanges[exchange].suspendedUntil = driver.now.advanced(by: Self.decisionTimeout)
        exchanges[exchange].suspended = SuspendedRequest(parked, forwarding)
        parkedBytes &+= Self.parkedRequestBytes
        armExchangeTimer(exchange)
        let id = ExchangeID(worker: context.index, key: exchange.rawValue)
        let chain = route.chain
        let inbox = context.inbox
        Task(executorPreference: context.executor) {
            let decision = await WorkerTask.$worker.withValue(id.worker) { await chain.decide(snapshot, at: step) }
            inbox.post(.decision(id, decision))
        }
    }

    /// The answer came. An exchange that is over by now has another generation: nothing happens.
    mutating func resume(_ exchange: SlabKey, _ decision: AsyncDecision) {
        guard exchanges.contains(exchange), case .suspended(let step) = exchanges[exchange].phase,
            let parked = exchanges[exchange].suspended, let route = exchanges[exchange].route
        else { return }
        exchanges[exchange].suspended = nil
        parkedBytes &-= Self.parkedRequestBytes
        exchanges[exchange].phase = .deciding
        swap(&parked.context, &request)
        forwarding = parked.forwarding
        request.now = driver.now
        switch route.chain.apply(decision, to: &request, at: step) {
        case .next:
            runChain(exchange, route, from: step + 1)
        case .reply:
            exchanges[exchange].entered = step + 1
            sendReply(exchange, request.localReply ?? LocalReply(.middlewareFailed))
        case .suspend:
            reply(exchange, .middlewareFailed)
        }
        var bytes = Buffer(capacity: 1)
        swap(&request.bytes, &bytes)
        guard exchanges.contains(exchange) else {
            driver.buffers.give(bytes)
            return
        }
        if exchanges[exchange].suspended == nil { exchanges[exchange].requestBytes = consume bytes }
    }

    /// Gives up waiting for a decision: the bytes come back to the exchange, for its answer and its log line.
    mutating func unpark(_ exchange: SlabKey) {
        guard let parked = exchanges[exchange].suspended else { return }
        exchanges[exchange].suspended = nil
        parkedBytes &-= Self.parkedRequestBytes
        var bytes = Buffer(capacity: 1)
        swap(&parked.context.bytes, &bytes)
        exchanges[exchange].requestBytes = consume bytes
    }
}
