import Containers
import Net
import TLS

/// A client of the simulated world that speaks HTTP/2: sends the requests of its plans on the streams of one connection after
/// the other.
final class FakeHTTP2Client: SimulatedPeer {
    /// A request on its stream.
    private struct Ask {
        let exchange: ShadowModel.Exchange
        var answer: AnswerCheck?
        /// Content that waits for leave to be sent.
        var unsentBody: [UInt8]?
        var receivedBytes = 0
        /// Opened before the gateway had said how many it takes, as one too many.
        var isTooMany = false
    }

    /// An exchange that is not over after this long hangs.
    private static let patience: Int64 = 300_000_000_000

    private let address: SocketAddress
    private let network: SimulatedNetwork
    private let shadow: ShadowModel
    private var plans: [ExchangePlan]
    private var refusals = 0
    private(set) var isDone = false
    /// All that it opened.
    private(set) var streams = 0

    // Of the current connection.
    private var connection: SimulatedConnection?
    private var end: HTTP2End?
    private var since = Instant.never
    private var asks: [UInt32: Ask] = [:]
    private var depth = 1
    private var requestsLeft = 0
    private var isSecure = false
    private lazy var security = ClientSecurity(network: network)
    /// No further request goes out on this connection.
    private var isClosing = false

    init(address: SocketAddress, plans: [ExchangePlan], network: SimulatedNetwork, shadow: ShadowModel) {
        self.address = address
        self.plans = plans
        self.network = network
        self.shadow = shadow
    }

    func start() {
        asks = [:]
        depth = 1 + network.random.below(4) * network.random.below(5)
        requestsLeft = 1 + network.random.below(20)
        isClosing = false
        isSecure = !network.securedIsProxied && network.happens(.clientSecure)
        network.connectClient(
            self, address: address, to: isSecure ? Simulation.securedDescriptor : Simulation.listenerDescriptor)
    }

    func refused(_ connection: SimulatedConnection) {
        refusals += 1
        if refusals > 20 { plans = [] }
        next(after: 50_000_000)
    }

    func connected(_ connection: SimulatedConnection) {
        self.connection = connection
        since = network.now
        if network.happens(.clientSlowReader) {
            connection.pace = .slowly(bytes: 1_000 + network.random.below(30_000), every: 5_000_000)
        }
        if isSecure { security.begin(connection, .http2, mayBePlain: false) }
        let end = HTTP2End(
            isClient: true, pace: HTTP2Pace(network), connection: connection, network: network, user: self)
        self.end = end
        end.begin(settings: network.random.below(2) == 0 ? [(2, 0)] : [])
        sendMore()
        somethingElse()
    }

    /// Leaves the connection for the next one, if there is anything left to do.
    private func next(after delay: Int64) {
        connection = nil
        end?.end()
        if plans.isEmpty { isDone = true } else { network.after(delay) { self.start() } }
    }

    /// What has nothing to do with requests.
    private func somethingElse() {
        let current = connection
        network.after(Int64(network.random.below(300)) * 1_000_000) { [self] in
            guard connection === current, let connection, let end, !end.isOver else { return }
            if network.happens(.settingsChange) { end.changeSettings() }
            if network.happens(.streamPing) { end.ping() }
            if !isClosing, network.random.below(4) == 0, network.happens(.clientGoesAway) {
                end.goAway()
                isClosing = true
            }
            if !asks.isEmpty, network.random.below(4) == 0, network.happens(.clientBreaksFrames) {
                for stream in asks.keys { asks[stream]?.exchange.taints.append("broken frames") }
                network.note { "client breaks a rule on \(connection.number)" }
                isClosing = true
                end.isBreaking = true
                end.write(Self.breach(network.random.below(Self.breachCount)))
            }
            if asks.isEmpty, isClosing { settle() } else { somethingElse() }
        }
    }

    private static let breachCount = 10

    /// What ends any connection (RFC 9113 sections 4 to 6).
    private static func breach(_ kind: Int) -> [UInt8] {
        switch kind {
        case 0: HTTP2Frame.bytes(.data, stream: 0, [1, 2, 3])
        case 1: HTTP2Frame.bytes(.headers, HTTP2Frame.endHeaders, stream: 2, [0x82])
        case 2: HTTP2Frame.windowUpdate(0, 0)
        case 3: HTTP2Frame.bytes(.settings, [0, 4, 0, 0, 1])
        case 4: HTTP2Frame.bytes(.ping, [1, 2, 3, 4, 5, 6, 7])
        case 5: HTTP2Frame.bytes(.continuation, stream: 1, [0x82])
        case 6: HTTP2Frame.bytes(.data, stream: 1, Array(repeating: 0, count: 16_385))
        case 7: HTTP2Frame.reset(0x7FFF_FFFF, .cancel)
        case 8: HTTP2Frame.bytes(.headers, HTTP2Frame.endHeaders, stream: 0x7FFF_FFFF, [0xFF, 0xFF, 0xFF, 0xFF, 0xFF])
        default: HTTP2Frame.windowUpdate(0, 0x7FFF_FFFF) + HTTP2Frame.windowUpdate(0, 0x7FFF_FFFF)
        }
    }

    // MARK: Sending

    private func sendMore() {
        guard let current = connection else { return }
        while let end, connection != nil, !end.isOver, !isClosing, requestsLeft > 0, !plans.isEmpty,
            end.openCount < min(depth, end.peerStreams)
        {
            requestsLeft -= 1
            streams += 1
            send(plans.removeFirst(), on: end)
        }
        if asks.isEmpty, connection === current { settle() }
    }

    private func send(_ plan: ExchangePlan, on end: HTTP2End) {
        let exchange = shadow.begin(plan, connection: connection)
        var ask = Ask(exchange: exchange)
        ask.isTooMany = !end.hasPeerSettings && asks.count >= 2
        let stream = end.nextStream
        network.note { "client sends \(plan.nonce) \(plan.method) on \(end.connection.number), stream \(stream)" }
        network.after(Self.patience) { [self] in
            guard exchange.outcome == nil else { return }
            network.violate("\(plan.nonce): no end after \(Self.patience / 1_000_000_000) seconds")
            end.connection.reset()
            lose(.gaveUp, because: "no end")
        }
        if plan.clientDefect?.isMalformed == true {
            network.inflicts(.clientMalformed)
            exchange.taints.append("malformed request")
        }
        let body = HTTP2Request.body(plan)
        var isEnd = body.isEmpty && HTTP2Request.trailers(plan).isEmpty && plan.cutSeed % 3 > 0
        if case .abortsSending = plan.clientDefect { isEnd = false }
        if plan.expectsContinue { ask.unsentBody = body }
        asks[stream] = ask
        _ = end.open(HTTP2Request.fields(plan, isSecure: isSecure), isEnd: isEnd)
        if isEnd { return }
        if plan.expectsContinue {
            network.after(1_000_000_000) { [self] in if self.end === end { sendBody(stream) } }
        } else {
            write(body, stream, plan, on: end)
        }
    }

    private func sendBody(_ stream: UInt32) {
        guard let end, let body = asks[stream]?.unsentBody, let plan = asks[stream]?.exchange.plan else { return }
        asks[stream]?.unsentBody = nil
        write(body, stream, plan, on: end)
    }

    private func write(_ body: [UInt8], _ stream: UInt32, _ plan: ExchangePlan, on end: HTTP2End) {
        if case .abortsSending(let count, let resets) = plan.clientDefect {
            network.inflicts(.clientAborts)
            asks[stream]?.exchange.taints.append("client left while sending")
            // With its length the request is whole, whether the stream ends or not.
            if case .length(let length) = plan.requestBody, count >= length {
                asks[stream]?.exchange.isFullySent = true
            }
            end.send(stream, Array(body.prefix(count)))
            abort(stream, resets: resets)
            return
        }
        guard plan.sendsSlowly, body.count > 1 else {
            end.send(stream, body)
            end.finish(stream, trailers: HTTP2Request.trailers(plan))
            return
        }
        network.inflicts(.clientSlowBody)
        let piece = max(1, body.count / (2 + network.random.below(20)))
        func step(_ at: Int) {
            guard self.end === end, end.isOpen(stream) else { return }
            let next = min(body.count, at + piece)
            end.send(stream, Array(body[at..<next]))
            if next == body.count {
                end.finish(stream, trailers: HTTP2Request.trailers(plan))
            } else {
                network.after(Int64(network.random.below(40_000_000))) { step(next) }
            }
        }
        step(0)
    }

    /// Wants no answer any more; some leave altogether.
    private func abort(_ stream: UInt32, resets: Bool) {
        if network.random.below(8) == 0 {
            if resets { connection?.reset() } else { connection?.close() }
            lose(.gaveUp, because: "client left")
            return
        }
        end?.reset(stream, resets ? .cancel : .noError)
        finish(stream, .gaveUp)
    }

    private func finish(_ stream: UInt32, _ outcome: ShadowModel.Outcome) {
        guard let ask = asks.removeValue(forKey: stream) else { return }
        shadow.end(ask.exchange, outcome)
        settle()
    }

    /// All that is outstanding on this connection is lost.
    private func lose(_ outcome: ShadowModel.Outcome, because reason: String) {
        let lost = asks
        asks = [:]
        isClosing = true
        for stream in lost.keys.sorted() {
            guard let exchange = lost[stream]?.exchange else { continue }
            if outcome == .gaveUp { exchange.taints.append(reason) }
            shadow.end(exchange, outcome)
        }
        next(after: Int64(network.random.below(50_000_000)))
    }

    private func settle() {
        guard let current = connection else { return }
        if requestsLeft == 0 || plans.isEmpty { isClosing = true }
        if !isClosing {
            var pause = network.random.below(4) == 0 ? Int64(network.random.below(400_000_000)) : 0
            // An answer came early, and the gateway has not said yet that it wants nothing more of the request.
            if asks.isEmpty, end?.openCount ?? 0 > 0 { pause += 5_000_000 }
            network.after(pause) { [self] in if connection === current { sendMore() } }
        } else if asks.isEmpty {
            leave(current)
        }
    }

    /// Nothing more to ask here.
    private func leave(_ current: SimulatedConnection) {
        switch network.random.below(3) {
        case 0:
            end?.goAway()
            current.close()
        case 1: current.close()
        default: current.end()
        }
        next(after: Int64(network.random.below(20_000_000)))
    }

    // MARK: Ends

    func received(_ connection: SimulatedConnection, _ bytes: [UInt8]) {
        if connection === self.connection { end?.received(bytes) }
    }

    func ended(_ connection: SimulatedConnection) {
        // Whoever has gone on to the next connection still closes the last.
        connection.close()
        guard connection === self.connection else { return }
        if asks.isEmpty { next(after: Int64(network.random.below(5_000_000))) } else { lose(.cut, because: "end") }
    }

    func wasReset(_ connection: SimulatedConnection) {
        guard connection === self.connection else { return }
        if asks.isEmpty { next(after: Int64(network.random.below(5_000_000))) } else { lose(.cut, because: "reset") }
    }
}

extension FakeHTTP2Client: HTTP2EndUser {
    func head(_ stream: UInt32, _ fields: [(name: String, value: String)], isEnd: Bool) {
        guard let ask = asks[stream] else { return }
        do throws(StrictHead.Malformed) {
            if ask.answer == nil {
                begin(stream, ask.exchange, try HTTP2Fields.response(fields), isEnd: isEnd)
            } else {
                try HTTP2Fields.trailers(fields)
                if !isEnd { throw .init(reason: "trailers without an end") }
            }
        } catch {
            network.violate("\(ask.exchange.plan.nonce): the gateway sent a malformed answer: \(error.reason)")
            return
        }
        if isEnd { complete(stream) }
    }

    private func begin(
        _ stream: UInt32, _ exchange: ShadowModel.Exchange, _ head: StrictHead, isEnd: Bool
    ) {
        guard head.startLine.hasPrefix("HTTP/1.1 1") else {
            asks[stream]?.answer = AnswerCheck(exchange, head, network)
            count(stream, 0)
            return
        }
        if isEnd { network.violate("\(exchange.plan.nonce): an interim answer ends the stream") }
        let nonces = head.values("x-nonce")
        if nonces != [], nonces != [exchange.plan.nonce] {
            network.violate("\(exchange.plan.nonce): an interim answer of \(nonces)")
        }
        if head.startLine.hasPrefix("HTTP/1.1 100") { sendBody(stream) }
    }

    func content(_ stream: UInt32, _ bytes: [UInt8], isEnd: Bool) {
        guard let ask = asks[stream] else { return }
        if ask.answer == nil { network.violate("\(ask.exchange.plan.nonce): content before the head") }
        asks[stream]?.answer?.receive(bytes, network)
        count(stream, bytes.count)
        if isEnd { complete(stream) }
    }

    /// Some leave in the middle of an answer.
    private func count(_ stream: UInt32, _ more: Int) {
        asks[stream]?.receivedBytes += more
        guard let ask = asks[stream], case .abortsReceiving(let count, let resets) = ask.exchange.plan.clientDefect,
            ask.receivedBytes >= count
        else { return }
        network.inflicts(.clientAborts)
        ask.exchange.taints.append("client left while receiving")
        abort(stream, resets: resets)
    }

    private func complete(_ stream: UInt32) {
        guard let ask = asks[stream], let answer = ask.answer else { return }
        finish(stream, answer.complete(network))
    }

    func reset(_ stream: UInt32, _ code: HTTP2Code) {
        guard let ask = asks[stream] else { return }
        if code == .refusedStream {
            if ask.isTooMany { ask.exchange.taints.append("one stream too many") }
            if ask.exchange.headsAtOrigin > 0 {
                network.violate("\(ask.exchange.plan.nonce): refused, and sent to an origin")
            }
        }
        finish(stream, .cut)
    }

    func goingAway(last: UInt32, _ code: HTTP2Code) {
        guard let end, !end.isBreaking else { return }
        shadow.wentAway(since: since, end.connection.number)
        isClosing = true
        for stream in asks.keys.sorted() where stream > last {
            guard let exchange = asks[stream]?.exchange else { continue }
            exchange.taints.append("behind GOAWAY")
            if exchange.headsAtOrigin > 0 { network.violate("\(exchange.plan.nonce): passed over, but sent") }
            finish(stream, .cut)
        }
        if asks.isEmpty { settle() }
    }

    func sentEnd(_ stream: UInt32) { asks[stream]?.exchange.isFullySent = true }

    func sentContent(_ stream: UInt32) {
        // With its length the request is whole, whether the stream has ended or not.
        if case .length = asks[stream]?.exchange.plan.requestBody { asks[stream]?.exchange.isFullySent = true }
    }

    func broken() { lose(.cut, because: "broken") }
}
