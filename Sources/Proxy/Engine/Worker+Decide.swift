import Config
import Containers
import EventLoop
import HTTP
import HTTP1
import Middleware
import Net
import Routing

/// What happens with a request: its route, its middleware, its action.
///
/// During these steps the head's bytes are in `request.bytes`.
extension Worker where Driver: ~Copyable {
    var currentSnapshot: Snapshot? {
        mutating get { snapshots.contains(current) ? snapshots[current].snapshot : nil }
    }

    mutating func decide(_ exchange: SlabKey, _ key: SlabKey) {
        request.resetDecision()
        fillIdentity(exchange, key)
        guard hostMemo.fill(&request.host, request.head, request.bytes) else {
            downstreams[key].closes = true
            reply(exchange, .badRequest)
            return
        }
        let rules = downstreams[key].listener.pathRules
        guard RequestSteps.fillPath(&request.path, request.head, request.bytes, rules: rules) else {
            // As after every request that is not valid: nothing later on this connection is believed.
            downstreams[key].closes = true
            reply(exchange, .pathRefused)
            return
        }
        let arrival = downstreams[key].arrival
        guard !arrival.isSecure || isDirected(key) else {
            reply(exchange, .misdirected)
            return
        }
        guard scanForwarding(arrival) else {
            reply(exchange, .loopDetected)
            return
        }
        if request.isSecure { exchanges[exchange].isSecure = true }
        if arrival.httpsPort > 0, redirectsToHTTPS(exchange, port: arrival.httpsPort) { return }
        guard !forwarding.countsHops || mayForward(exchange, key) else { return }
        if snapshots[current].hasIdentityFields { snapshots[current].identityFields.remove(from: &request) }
        route(exchange, key)
    }

    /// Before any policy looks: what an untrusted client says about the way it came is gone. False: the request goes in circles.
    private mutating func scanForwarding(_ arrival: DownstreamArrival) -> Bool {
        forwarding = ForwardingWriter(isTrusted: arrival.isTrusted)
        request.isSecure = arrival.isSecure
        return forwarding.scan(&request) < ForwardingWriter.loopLimit
    }

    /// Max-Forwards (RFC 9110 section 7.6.2). False: the request was answered here.
    @inline(never)
    private mutating func mayForward(_ exchange: SlabKey, _ key: SlabKey) -> Bool {
        switch forwarding.maxForwards {
        case .unlimited:
            return true
        case .hops(0):
            // Its final recipient says what it serves, as for `OPTIONS *`: whose route this would be is not for hops to see.
            var answer = LocalReply(status: 200)
            answer.headers.append((name: "Allow", value: Method.supported))
            sendReply(exchange, answer)
            return false
        case .hops:
            return true
        case .invalid:
            downstreams[key].closes = true
            reply(exchange, .badRequest)
            return false
        }
    }

    /// Client, request id and time: what every answer and log line needs.
    mutating func fillIdentity(_ exchange: SlabKey, _ key: SlabKey) {
        request.now = driver.now
        let isTrusted = downstreams[key].isTrusted
        request.client = downstreams[key].client
        request.clientPort = downstreams[key].clientPort
        if isTrusted, let snapshot = currentSnapshot {
            request.client = RequestSteps.client(request.head, request.bytes, peer: request.client, snapshot: snapshot)
        }
        fillRequestID(isTrusted: isTrusted)
        let start = request.bytes.count
        if request.bytes.tailroom >= request.requestID.count { request.bytes.append(request.requestID) }
        let id = ByteRange(start: start, count: request.bytes.count &- start)
        exchanges[exchange].identify(request.client, port: request.clientPort, id: id)
    }

    private mutating func fillRequestID(isTrusted: Bool) {
        if isTrusted, RequestSteps.keepRequestID(&request.requestID, request.head, request.bytes) { return }
        HexText.append(random.next(), to: &request.requestID)
        HexText.append(random.next(), to: &request.requestID)
    }

    private mutating func route(_ exchange: SlabKey, _ key: SlabKey) {
        let listener = downstreams[key].listener.number
        guard let router = snapshots[current].router(ofListener: listener) else {
            reply(exchange, .noRoute)
            return
        }
        if request.head.method == .options, let number = preflightRoute(router) {
            enter(exchange, number)
            return
        }
        let match = RequestSteps.match(
            router, host: request.host, path: request.path, head: request.head, bytes: request.bytes,
            parameters: &request.parameters)
        switch match {
        case .notFound:
            reply(exchange, .noRoute)
        case .methodNotAllowed:
            refuseMethod(exchange, router)
        case .route(let number):
            enter(exchange, number)
        }
    }

    private mutating func enter(_ exchange: SlabKey, _ number: Int) {
        let route = snapshots[current].snapshot.routes[number]
        exchanges[exchange].route = route
        if request.names !== route.names { request.names = route.names }
        runChain(exchange, route, from: 0)
    }

    private mutating func refusePreflight(_ exchange: SlabKey) {
        let listener = downstreams[exchanges[exchange].downstream].listener.number
        if let router = snapshots[current].router(ofListener: listener) {
            refuseMethod(exchange, router)
        } else {
            reply(exchange, .methodNotAllowed)
        }
    }

    private mutating func refuseMethod(_ exchange: SlabKey, _ router: Router) {
        var answer = LocalReply(.methodNotAllowed)
        let allowed = RequestSteps.allowedMethods(router, host: request.host, path: request.path)
        answer.headers.append((name: "Allow", value: allowed))
        sendReply(exchange, answer)
    }

    /// The route whose `cors` answers a preflight: that of the method which the preflight asks for, whether or not it serves
    /// OPTIONS. Nil: the request is routed like any other.
    private mutating func preflightRoute(_ router: Router) -> Int? {
        guard let method = RequestSteps.preflightMethod(request.head) else { return nil }
        let match = RequestSteps.match(
            router, preflightFor: method, host: request.host, path: request.path, head: request.head,
            bytes: request.bytes, parameters: &request.parameters)
        guard case .route(let number) = match, snapshots[current].snapshot.routes[number].chain.answersPreflights else {
            return nil
        }
        return number
    }

    /// Runs the route's middleware from a step on, then its action.
    mutating func runChain(_ exchange: SlabKey, _ route: RouteState, from step: Int) {
        if route.chain.count > 0 {
            if exchanges[exchange].slots == .none {
                // There is one for every exchange that can be.
                exchanges[exchange].slots = chainSlots.insert(ChainSlots()) ?? .none
            }
            let slots = exchanges[exchange].slots
            let outcome = route.chain.onRequest(&request, from: step, slots: &chainSlots[slots].values)
            exchanges[exchange].noteTarget(request.head)
            switch outcome {
            case .next:
                exchanges[exchange].entered = route.chain.count
                keepIdentity(exchange)
                if request.head.method == .options, !route.servesOptions {
                    // A preflight that lost its fields before it came to `cors`: nothing that the action may see.
                    refusePreflight(exchange)
                    return
                }
            case .reply(let entered):
                exchanges[exchange].entered = entered
                sendReply(exchange, request.localReply ?? LocalReply(.internalError))
                return
            case .suspend(let step):
                exchanges[exchange].entered = step
                suspend(exchange, route, step: step)
                return
            }
        }
        act(exchange, route)
    }

    /// Keeps the proven identity, and a request id that a middleware changed, behind the head's bytes: for logs and the response
    /// phase.
    private mutating func keepIdentity(_ exchange: SlabKey) {
        if RequestSteps.differs(request.requestID, request.bytes, exchanges[exchange].requestID),
            request.bytes.tailroom >= request.requestID.count
        {
            let start = request.bytes.count
            request.bytes.append(request.requestID)
            exchanges[exchange].requestID = ByteRange(start: start, count: request.requestID.count)
        }
        guard !request.identity.isEmpty, request.bytes.tailroom >= request.identity.count else { return }
        let start = request.bytes.count
        request.bytes.append(request.identity)
        exchanges[exchange].identity = ByteRange(start: start, count: request.identity.count)
    }

    private mutating func act(_ exchange: SlabKey, _ route: RouteState) {
        switch route.action {
        case .upstream(let number):
            forward(exchange, route, upstream: number)
        case .redirect(let to, let status):
            var location = driver.buffers.take(.message)
            let isSafe = to.appendRedirect(to: &location, request)
            var answer = isSafe ? LocalReply(status: status) : LocalReply(.pathRefused)
            if isSafe { answer.headers.append((name: "Location", value: RequestSteps.text(location))) }
            driver.buffers.give(location)
            sendReply(exchange, answer)
        case .respond(let response, let headers):
            var answer = LocalReply(status: response.status)
            answer.body = response.body
            answer.contentType = response.contentType
            for header in headers {
                var value = driver.buffers.take(.message)
                if header.value.append(to: &value, request) {
                    answer.headers.append((name: header.name, value: RequestSteps.text(value)))
                }
                driver.buffers.give(value)
            }
            sendReply(exchange, answer)
        }
    }
}
