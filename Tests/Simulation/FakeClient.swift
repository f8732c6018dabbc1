import Containers
package import Net
import TLS

/// A client of the simulated world: sends the requests of its plans over one connection after the other and reads the
/// answers strictly.
package final class FakeClient: SimulatedPeer {
    /// An exchange that is not over after this long hangs: every timeout of the gateway has passed.
    private static let patience: Int64 = 300_000_000_000

    private let address: SocketAddress
    private let descriptor: Int32
    private let network: SimulatedNetwork
    private let shadow: ShadowModel
    private var plans: [ExchangePlan]
    private var refusals = 0
    /// All its exchanges have ended and its connection is closed.
    package private(set) var isDone = false

    // Of the current connection.
    private var connection: SimulatedConnection?
    private var reader = StrictReader(isResponse: true)
    private var awaiting: [ShadowModel.Exchange] = []
    private var depth = 1
    private var requestsLeft = 0
    /// A request is being written in pieces.
    private var isWriting = false
    private var unsentBody: (bytes: [UInt8], exchange: ShadowModel.Exchange)?
    /// No further request goes out on this connection.
    private var isClosing = false
    private var wroteMalformed = false
    private var hasEnded = false
    /// Whom the connection's PROXY header names.
    private var namedClient: String?
    private var isProxied = false
    private var isSecure = false
    private lazy var security = ClientSecurity(network: network)
    private var hasBadHeader = false

    // Of the current answer.
    private var answer: AnswerCheck?
    private var isInterim = false
    private var receivedBytes = 0

    package init(
        address: SocketAddress, descriptor: Int32, plans: [ExchangePlan], network: SimulatedNetwork,
        shadow: ShadowModel
    ) {
        self.address = address
        self.descriptor = descriptor
        self.plans = plans
        self.network = network
        self.shadow = shadow
    }

    package func start() {
        reader = StrictReader(isResponse: true)
        awaiting = []
        depth = network.happens(.clientPipelines) ? 2 + network.random.below(4) : 1
        requestsLeft = 1 + network.random.below(8)
        isWriting = false
        unsentBody = nil
        isClosing = false
        wroteMalformed = false
        hasEnded = false
        answer = nil
        isInterim = false
        receivedBytes = 0
        namedClient = nil
        hasBadHeader = false
        isSecure = network.happens(.clientSecure)
        isProxied = isSecure ? network.securedIsProxied : network.happens(.clientProxyHeader)
        let door =
            isSecure ? Simulation.securedDescriptor : isProxied ? Simulation.proxiedDescriptor : descriptor
        network.connectClient(self, address: address, to: door)
    }

    package func refused(_ connection: SimulatedConnection) {
        refusals += 1
        if refusals > 20 { plans = [] }
        next(after: 50_000_000)
    }

    package func connected(_ connection: SimulatedConnection) {
        self.connection = connection
        if network.happens(.clientSlowReader) {
            connection.pace = .slowly(bytes: 1_000 + network.random.below(30_000), every: 5_000_000)
        }
        if isProxied { sendProxyHeader(connection) }
        if isSecure { security.begin(connection, .http1, mayBePlain: true) }
        sendMore()
    }

    private func sendProxyHeader(_ connection: SimulatedConnection) {
        if network.happens(.clientBadProxyHeader) {
            hasBadHeader = true
            connection.write(Array("PROXY TCP9 12.0.0.1 10.0.0.1 1 80\r\n".utf8))
            return
        }
        let last = network.random.below(256)
        switch network.random.below(3) {
        case 0: connection.write(Array("PROXY UNKNOWN\r\n".utf8))
        case 1:
            namedClient = "12.0.0.\(last)"
            connection.write(Array("PROXY TCP4 12.0.0.\(last) 10.0.0.1 1234 80\r\n".utf8))
        default:
            namedClient = "12.0.1.\(last)"
            let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
            let addresses: [UInt8] = [12, 0, 1, UInt8(last), 10, 0, 0, 1, 4, 210, 0, 80]
            connection.write(signature + [0x21, 0x11, 0, 12] + addresses)
        }
    }

    /// Leaves the connection for the next one, if there is anything left to do.
    private func next(after delay: Int64) {
        connection = nil
        if plans.isEmpty {
            isDone = true
        } else {
            network.after(delay) { self.start() }
        }
    }

    // MARK: Sending

    private func sendMore() {
        while let connection, !isWriting, !isClosing, requestsLeft > 0, !plans.isEmpty,
            awaiting.count < depth || wroteMalformed
        {
            requestsLeft -= 1
            send(plans.removeFirst(), on: connection)
        }
        guard let connection, awaiting.isEmpty, !isWriting, !isClosing else { return }
        // Nothing more to ask here.
        connection.close()
        next(after: Int64(network.random.below(20_000_000)))
    }

    private func send(_ plan: ExchangePlan, on connection: SimulatedConnection) {
        let exchange = shadow.begin(plan, connection: connection)
        exchange.namedClient = namedClient
        if hasBadHeader { exchange.taints.append("behind a bad PROXY header") }
        if wroteMalformed { exchange.taints.append("behind a malformed request") }
        awaiting.append(exchange)
        network.note { "client sends \(plan.nonce) \(plan.method) on \(connection.number)" }
        network.after(Self.patience) { [self] in
            guard exchange.outcome == nil else { return }
            network.violate("\(plan.nonce): no end after \(Self.patience / 1_000_000_000) seconds")
            connection.reset()
            lose(.gaveUp, because: "no end")
        }
        let head = RequestWriter.head(plan)
        switch plan.clientDefect {
        case .malformed:
            network.inflicts(.clientMalformed)
            exchange.taints.append("malformed request")
            wroteMalformed = true
            connection.write(head)
            exchange.isFullySent = true
            return
        case .abortsSending(let count, let resets):
            abort(exchange, head + RequestWriter.body(plan), after: count, resets: resets)
            return
        case .abortsReceiving, nil:
            break
        }
        if plan.wantsClose { isClosing = true }
        if plan.isOld { network.inflicts(.clientIsOld) }
        let body = RequestWriter.body(plan)
        if plan.expectsContinue {
            isWriting = true
            unsentBody = (body, exchange)
            connection.write(head)
            network.after(1_000_000_000) { [self] in
                if unsentBody?.exchange === exchange { sendBody() }
            }
        } else if plan.sendsSlowly {
            network.inflicts(.clientSlowBody)
            writeSlowly(head + body, exchange, on: connection)
        } else {
            connection.write(head + body)
            sent(exchange, on: connection)
        }
    }

    private func sendBody() {
        guard let (bytes, exchange) = unsentBody, let connection else { return }
        unsentBody = nil
        isWriting = false
        connection.write(bytes)
        sent(exchange, on: connection)
    }

    private func writeSlowly(_ bytes: [UInt8], _ exchange: ShadowModel.Exchange, on connection: SimulatedConnection) {
        isWriting = true
        let piece = max(1, bytes.count / (2 + network.random.below(20)))
        func step(_ at: Int) {
            guard self.connection === connection, exchange.outcome == nil || !isClosing else { return }
            let end = min(bytes.count, at + piece)
            if end == bytes.count { exchange.isFullySent = true }
            connection.write(Array(bytes[at..<end]))
            if end == bytes.count {
                isWriting = false
                sent(exchange, on: connection)
            } else {
                network.after(Int64(network.random.below(40_000_000))) { step(end) }
            }
        }
        step(0)
    }

    private func sent(_ exchange: ShadowModel.Exchange, on connection: SimulatedConnection) {
        exchange.isFullySent = true
        if isClosing || requestsLeft == 0 || plans.isEmpty, network.happens(.clientHalfCloses) {
            isClosing = true
            hasEnded = true
            for waiting in awaiting { waiting.hasClientEnded = true }
            connection.end()
        }
        if exchange.outcome != nil, awaiting.isEmpty { settle() }
        if self.connection === connection, !isClosing { sendMore() }
    }

    private func abort(_ exchange: ShadowModel.Exchange, _ bytes: [UInt8], after count: Int, resets: Bool) {
        network.inflicts(.clientAborts)
        exchange.taints.append("client left while sending")
        exchange.isFullySent = count >= bytes.count
        connection?.write(Array(bytes.prefix(count)))
        leave(resets: resets)
    }

    private func leave(resets: Bool) {
        if resets { connection?.reset() } else { connection?.close() }
        lose(.gaveUp, because: "client left")
    }

    /// All that is outstanding on this connection is lost.
    private func lose(_ outcome: ShadowModel.Outcome, because reason: String) {
        let lost = awaiting
        awaiting = []
        isClosing = true
        for (index, exchange) in lost.enumerated() {
            if index > 0 { exchange.taints.append("behind a lost one") }
            if outcome == .gaveUp { exchange.taints.append(reason) }
            shadow.end(exchange, outcome)
        }
        next(after: Int64(network.random.below(50_000_000)))
    }

    // MARK: Receiving

    package func received(_ connection: SimulatedConnection, _ bytes: [UInt8]) {
        guard connection === self.connection else { return }
        receivedBytes += bytes.count
        if case .abortsReceiving(let count, let resets) = awaiting.first?.plan.clientDefect, receivedBytes >= count {
            network.inflicts(.clientAborts)
            awaiting.first?.taints.append("client left while receiving")
            leave(resets: resets)
            return
        }
        reader.feed(bytes)
        while connection === self.connection, let event = reader.next(method: awaiting.first?.plan.method ?? "GET") {
            handle(event)
        }
    }

    private func handle(_ event: StrictReader.Event) {
        switch event {
        case .head(let head): begin(head)
        case .body(let bytes): answer?.receive(bytes, network)
        case .end:
            if isInterim { isInterim = false } else { complete() }
        case .malformed(let reason):
            network.violate("\(awaiting.first?.plan.nonce ?? "?"): the gateway sent a malformed answer: \(reason)")
            connection?.reset()
            lose(.cut, because: reason)
        }
    }

    private func begin(_ head: StrictHead) {
        guard let exchange = awaiting.first else {
            network.violate("an answer that nobody asked for: \(head.startLine)")
            connection?.reset()
            next(after: 0)
            return
        }
        if head.startLine.hasPrefix("HTTP/1.1 1") {
            isInterim = true
            let nonces = head.values("x-nonce")
            if nonces != [], nonces != [exchange.plan.nonce] {
                network.violate("\(exchange.plan.nonce): an interim answer of \(nonces)")
            }
            if head.startLine.hasPrefix("HTTP/1.1 100"), unsentBody?.exchange === exchange { sendBody() }
            return
        }
        answer = AnswerCheck(exchange, head, network)
    }

    private func complete() {
        guard let answer, let exchange = awaiting.first else { return }
        self.answer = nil
        receivedBytes = reader.unusedCount
        awaiting.removeFirst()
        shadow.end(exchange, answer.complete(network))
        if answer.saysClose {
            isClosing = true
            for later in awaiting { later.taints.append("behind a closing answer") }
            // Behind the last request of a client that ended its direction nothing can come.
            let isLast = hasEnded && awaiting.isEmpty
            if !exchange.plan.wantsClose, answer.isFromOrigin, !isLast { shadow.closed(behind: exchange) }
        }
        if unsentBody?.exchange === exchange {
            // The final answer came instead of 100: the body is not sent, and so the connection has no future.
            unsentBody = nil
            isWriting = false
            isClosing = true
            for later in awaiting { later.taints.append("behind an unsent body") }
        }
        settle()
    }

    private func settle() {
        if isClosing {
            if awaiting.isEmpty, !isWriting { waitForEnd() }
        } else {
            let pause = network.random.below(4) == 0 ? Int64(network.random.below(400_000_000)) : 0
            let current = connection
            network.after(pause) { [self] in if connection === current, connection != nil { sendMore() } }
        }
    }

    /// The gateway should end; if it does not within its keep-alive time, so do we.
    private func waitForEnd() {
        let current = connection
        network.after(200_000_000) { [self] in
            guard let current, connection === current, awaiting.isEmpty else { return }
            current.close()
            next(after: 0)
        }
    }

    package func ended(_ connection: SimulatedConnection) {
        guard connection === self.connection else { return }
        if reader.isUntilEnd { complete() }
        guard connection === self.connection else { return }
        connection.close()
        if awaiting.isEmpty { next(after: Int64(network.random.below(5_000_000))) } else { lose(.cut, because: "end") }
    }

    package func wasReset(_ connection: SimulatedConnection) {
        guard connection === self.connection else { return }
        if awaiting.isEmpty {
            next(after: Int64(network.random.below(5_000_000)))
        } else {
            lose(.cut, because: "reset")
        }
    }
}
