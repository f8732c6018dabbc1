import Containers
package import Net
import TLS

/// A service behind the gateway: reads requests strictly, answers as each exchange's plan says.
package final class FakeOrigin: SimulatedService {
    package let address: SocketAddress
    private let network: SimulatedNetwork
    private let shadow: ShadowModel

    private let isSecure: Bool

    package init(
        address: SocketAddress, isSecure: Bool = false, network: SimulatedNetwork, shadow: ShadowModel
    ) {
        self.address = address
        self.isSecure = isSecure
        self.network = network
        self.shadow = shadow
    }

    package func accept(_ connection: SimulatedConnection) -> any SimulatedPeer {
        if isSecure, let peer = SecureOrigin.begin(connection, network) { return peer }
        return UnknownSession(connection: connection, network: network, shadow: shadow)
    }
}

/// A connection of which nobody knows yet which version it speaks: its first bytes tell.
private final class UnknownSession: SimulatedPeer {
    private unowned let connection: SimulatedConnection
    private unowned let network: SimulatedNetwork
    private unowned let shadow: ShadowModel
    private var bytes: [UInt8] = []

    init(connection: SimulatedConnection, network: SimulatedNetwork, shadow: ShadowModel) {
        self.connection = connection
        self.network = network
        self.shadow = shadow
    }

    func connected(_ connection: SimulatedConnection) {}

    func refused(_ connection: SimulatedConnection) {}

    func received(_ connection: SimulatedConnection, _ more: [UInt8]) {
        bytes += more
        let isPreface = HTTP2Frame.preface.starts(with: bytes.prefix(HTTP2Frame.preface.count))
        guard !isPreface || bytes.count >= HTTP2Frame.preface.count else { return }
        if let agreed = connection.agreedProtocol, (agreed == .http2) != isPreface {
            network.violate("another protocol than connection \(connection.number) agreed on")
        }
        let session: any SimulatedPeer =
            isPreface
            ? HTTP2OriginSession(connection: connection, network: network, shadow: shadow)
            : OriginSession(connection: connection, network: network, shadow: shadow)
        connection.peer = session
        session.connected(connection)
        session.received(connection, isPreface ? Array(bytes.dropFirst(HTTP2Frame.preface.count)) : bytes)
    }

    func ended(_ connection: SimulatedConnection) { connection.close() }

    func wasReset(_ connection: SimulatedConnection) {}
}

/// One connection of an origin.
///
///     idle ─head─▶ reading ─end─▶ thinking ─▶ answering ─▶ idle
///                     └── early answer ──────────┘            any ─ defect ─▶ gone
private final class OriginSession: SimulatedPeer {
    private unowned let connection: SimulatedConnection
    private unowned let network: SimulatedNetwork
    private unowned let shadow: ShadowModel
    private var reader = StrictReader(isResponse: false)
    private var exchange: ShadowModel.Exchange?
    private var expected: [UInt8] = []
    private var received = 0
    private var isRequestComplete = false
    private var isAnswerComplete = false
    private var isGone = false
    private var tunnel: TunnelEnd?
    /// Counts exchanges, so that a timer of an earlier one does nothing.
    private var generation = 0

    init(connection: SimulatedConnection, network: SimulatedNetwork, shadow: ShadowModel) {
        self.connection = connection
        self.network = network
        self.shadow = shadow
    }

    func connected(_ connection: SimulatedConnection) {
        if network.happens(.originSlowReader) {
            connection.pace = .slowly(bytes: 500 + network.random.below(20_000), every: 2_000_000)
        }
    }

    func refused(_ connection: SimulatedConnection) {}

    func received(_ connection: SimulatedConnection, _ bytes: [UInt8]) {
        guard !isGone else { return }
        if let tunnel {
            tunnel.received(bytes)
            return
        }
        reader.feed(bytes)
        while !isGone, let event = reader.next(method: "") { handle(event) }
    }

    private func handle(_ event: StrictReader.Event) {
        switch event {
        case .head(let head): begin(head)
        case .body(let bytes):
            if exchange?.plan.clientDefect?.isMalformed != true, !Payload.stands(bytes, at: received, in: expected) {
                network.violate("\(exchange?.plan.nonce ?? "?"): wrong bytes in a request body at \(received)")
            }
            received += bytes.count
        case .end:
            guard let exchange else { return }
            isRequestComplete = true
            shadow.originReachedEnd(exchange, received: received)
            if let plan = exchange.tunnelPlan {
                switchProtocols(exchange, plan)
                return
            }
            if !exchange.plan.answersEarly { think() } else { finishExchange() }
        case .malformed(let reason):
            network.violate("\(exchange?.plan.nonce ?? "?"): the gateway sent a malformed request: \(reason)")
            isGone = true
            connection.reset()
        }
    }

    private func begin(_ head: StrictHead) {
        if let exchange, !(isRequestComplete && isAnswerComplete) {
            network.violate("\(exchange.plan.nonce): another request on its connection before it ended")
        }
        generation += 1
        received = 0
        isRequestComplete = false
        isAnswerComplete = false
        let nonce = String(head.startLine.split(separator: " ").dropFirst().first?.dropFirst(3).prefix(16) ?? "")
        guard let seen = shadow.origin(sees: nonce, head: head) else {
            isGone = true
            connection.reset()
            return
        }
        exchange = seen
        network.note { "origin sees \(nonce) on \(connection.number)" }
        expected = Payload.bytes(nonce, .request, count: seen.plan.requestBody.count)
        if head.values("expect") == ["100-continue"] {
            connection.write(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8))
        }
        if seen.plan.originDefect == .stopsReading {
            network.inflicts(.originStopsReading)
            seen.taints.append("not read")
            connection.pace = .never
        } else if seen.plan.answersEarly {
            network.inflicts(.originEarlyAnswer)
            seen.taints.append("early answer")
            think()
        }
    }

    private func switchProtocols(_ exchange: ShadowModel.Exchange, _ plan: TunnelPlan) {
        let nonce = "X-Nonce: \(exchange.plan.nonce)\r\n"
        if plan.handshake == .refused {
            network.inflicts(.tunnelRefused)
            connection.write(Array("HTTP/1.1 403 Forbidden\r\n\(nonce)Content-Length: 2\r\n\r\nno".utf8))
            isAnswerComplete = true
            return
        }
        var acceptance = FakeWebSocketClient.acceptance
        if plan.handshake == .wrongKey {
            network.inflicts(.tunnelWrongKey)
            exchange.taints.append("wrong key")
            acceptance = "AAAA" + acceptance.dropFirst(4)
        }
        let fields = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: \(acceptance)\r\n"
        connection.write(Array("HTTP/1.1 101 Switching Protocols\r\n\(nonce)\(fields)\r\n".utf8))
        let tunnel = TunnelEnd(.response, of: exchange, plan, on: connection, network) { [unowned self] in isGone = true
        }
        self.tunnel = tunnel
        tunnel.start()
    }

    // MARK: Answers

    private func think() {
        guard let plan = exchange?.plan else { return }
        if plan.originDefect == .stalls || plan.originDefect == .stopsReading {
            exchange?.taints.append("stalled")
            network.inflicts(.originStalls)
            return
        }
        if plan.interims > 16 {
            network.inflicts(.originInterimFlood)
            exchange?.taints.append("interim answers without end")
        }
        for _ in 0..<plan.interims {
            network.inflicts(.originInterim)
            connection.write(ResponseWriter.interim(plan))
        }
        let current = generation
        if plan.thinks == 0 {
            answer()
        } else {
            network.after(plan.thinks) { [self] in if generation == current, !isGone { answer() } }
        }
    }

    private func answer() {
        guard let exchange else { return }
        let plan = exchange.plan
        var bytes = ResponseWriter.answer(plan)
        switch plan.originDefect {
        case .malformed:
            network.inflicts(.originMalformed)
            exchange.taints.append("malformed answer")
            write(bytes, slowly: false) { $0.leave(byReset: false) }
        case .truncates(let thousandths), .resets(let thousandths):
            let isReset = plan.originDefect == .resets(thousandths)
            network.inflicts(isReset ? .originResets : .originTruncates)
            let kept = bytes.count * thousandths / 1_000
            let headCount = bytes.count - plan.responseBody.count
            // What ends with the connection does not show a missing end; a reset always does.
            exchange.taints.append(isReset || !isUntilClose(plan) || kept < headCount ? "cut answer" : "short answer")
            bytes.removeLast(bytes.count - kept)
            write(bytes, slowly: false) { $0.leave(byReset: isReset) }
        case .extraBytes, .closes, .stalls, .stopsReading, nil:
            write(bytes, slowly: plan.answersSlowly) { $0.answered() }
        }
    }

    private func isUntilClose(_ plan: ExchangePlan) -> Bool {
        if case .untilClose = plan.responseBody { return true }
        return false
    }

    /// Writes at once, or in pieces over a second at most.
    private func write(_ bytes: [UInt8], slowly: Bool, then: @escaping (OriginSession) -> Void) {
        guard slowly, bytes.count > 1 else {
            connection.write(bytes)
            then(self)
            return
        }
        network.inflicts(.originSlowAnswer)
        let piece = max(1, bytes.count / (2 + network.random.below(20)))
        let current = generation
        func step(_ at: Int) {
            guard generation == current, !isGone else { return }
            let end = min(bytes.count, at + piece)
            connection.write(Array(bytes[at..<end]))
            if end == bytes.count {
                then(self)
            } else {
                network.after(Int64(network.random.below(40_000_000))) { step(end) }
            }
        }
        step(0)
    }

    private func answered() {
        guard let exchange else { return }
        isAnswerComplete = true
        if case .untilClose = exchange.plan.responseBody, exchange.plan.answerHasBody {
            network.inflicts(.originUntilClose)
            if connection.peerSecurity?.saysGoodbye == false {
                exchange.taints.append("an end that is not said")
                exchange.lacksEnd = true
            }
            leave(byReset: false)
            return
        }
        switch exchange.plan.originDefect {
        case .closes(let announced):
            network.inflicts(.originClosesAfterAnswer)
            if announced { exchange.taints.append("closed as announced") }
            leave(byReset: false)
        case .extraBytes:
            // Only bytes that are there together with the answer's end can be told from an answer.
            if connection.writeBehindLast(ResponseWriter.extra) { network.inflicts(.originExtraBytes) }
            finishExchange()
        default:
            finishExchange()
        }
    }

    private func finishExchange() {
        guard isRequestComplete, isAnswerComplete else { return }
        let current = generation
        guard network.decides(.originClosesIdle) else { return }
        network.after(Int64(network.random.below(400)) * 1_000_000) { [self] in
            guard generation == current, !isGone, !reader.isInMessage else { return }
            network.inflicts(.originClosesIdle)
            leave(byReset: network.random.below(4) == 0)
        }
    }

    private func leave(byReset: Bool) {
        isGone = true
        if byReset { connection.reset() } else { connection.close() }
    }

    // MARK: Ends

    func ended(_ connection: SimulatedConnection) {
        guard !isGone else { return }
        // The gateway leaves: in the middle of a request it had better say so by not ending it properly.
        isGone = true
        tunnel?.ended()
        connection.close()
    }

    func wasReset(_ connection: SimulatedConnection) {
        isGone = true
        tunnel?.ended()
    }
}
