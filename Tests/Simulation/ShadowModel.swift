package import Containers
import Net

/// What must hold, kept beside the world: every request has exactly one answer or one failure that a fault explains, and
/// no byte of one exchange is ever seen in another.
package final class ShadowModel {
    package enum Outcome: Sendable, Equatable {
        /// The origin's own answer, complete.
        case origin(status: Int)
        /// An answer that the gateway made, with the code in its body.
        case local(status: Int, code: String)
        /// The connection ended without a complete answer.
        case cut
        /// The client never sent all of it and left.
        case gaveUp
        /// The connection became a WebSocket's, and is over.
        case tunnel
    }

    package final class Exchange {
        package let plan: ExchangePlan
        package let startedAt: Instant
        /// Who asks, when that is not the connection's other end.
        var namedClient: String?
        package fileprivate(set) var outcome: Outcome?
        package fileprivate(set) var endedAt = Instant.never
        /// What went wrong with this very exchange.
        package var taints: [String] = []
        /// The client's last byte is on its way.
        package var isFullySent = false
        /// Times that an origin read its head, and its end.
        package var headsAtOrigin = 0
        package var endsAtOrigin = 0
        fileprivate let connection: SimulatedConnection?
        /// The client ended its direction and waits for the answer.
        package var hasClientEnded = false
        /// An origin has answered before the end of the request: in HTTP/1.1 the client's connection ends with that.
        var isEarly = false
        /// For a WebSocket connection.
        let tunnelPlan: TunnelPlan?
        let tunnel = TunnelRecord()
        /// Its answer ends with the connection, and that ended without saying so.
        var lacksEnd = false
        /// Times that `forward_auth` was answered.
        package var authAnswers = 0
        /// What the limiter had to say; nil: it was not asked.
        package fileprivate(set) var mayPass: Bool?

        /// Whom the origin must see as the client; nil for calls.
        fileprivate var client: String? {
            if let namedClient { return namedClient }
            if let connection, case .ip(let address, _) = connection.address { return "\(address)" }
            return nil
        }

        init(plan: ExchangePlan, tunnel: TunnelPlan?, connection: SimulatedConnection?, startedAt: Instant) {
            self.plan = plan
            tunnelPlan = tunnel
            self.connection = connection
            self.startedAt = startedAt
        }
    }

    /// An exchange may suffer from a fault that struck this long before it began (a queue, an endpoint set aside).
    private static let excuseSlack: Int64 = 6_000_000_000

    private let network: SimulatedNetwork
    private var byNonce: [String: Exchange] = [:]
    package private(set) var exchanges: [Exchange] = []
    package private(set) var answered = 0
    package private(set) var answeredLocally = 0
    package private(set) var cut = 0
    package private(set) var tunnels = 0
    /// Local answers by their code.
    package private(set) var codes: [String: Int] = [:]

    package init(network: SimulatedNetwork) { self.network = network }

    private func violate(_ exchange: Exchange, _ text: String) {
        network.violate("\(exchange.plan.nonce): \(text) \(exchange.taints)")
    }

    // MARK: The client's side

    func begin(
        _ plan: ExchangePlan, connection: SimulatedConnection?, tunnel: TunnelPlan? = nil
    ) -> Exchange {
        let exchange = Exchange(plan: plan, tunnel: tunnel, connection: connection, startedAt: network.now)
        byNonce[plan.nonce] = exchange
        exchanges.append(exchange)
        return exchange
    }

    package func end(_ exchange: Exchange, _ outcome: Outcome) {
        network.note { "\(exchange.plan.nonce) ended: \(outcome)" }
        if let before = exchange.outcome {
            violate(exchange, "ended twice: \(before), \(outcome)")
            return
        }
        exchange.outcome = outcome
        exchange.endedAt = network.now
        switch outcome {
        case .origin:
            answered += 1
            checkComplete(exchange)
        case .local(let status, let code):
            answeredLocally += 1
            codes[code, default: 0] += 1
            if isDue(exchange, status) { return }
            if status < 400 { violate(exchange, "a local answer with status \(status)") }
            if !isExcused(exchange) { violate(exchange, "answered locally (\(status) \(code)) without a fault") }
        case .cut:
            cut += 1
            // In a pool's queue a place is worth more than the chance that such a client still reads.
            let gaveWay = exchange.hasClientEnded && exchange.headsAtOrigin == 0
            if !gaveWay, !isExcused(exchange) { violate(exchange, "cut without a fault") }
        case .tunnel: tunnels += 1
        case .gaveUp:
            if !isExcused(exchange) { violate(exchange, "given up without a reason") }
        }
    }

    /// A complete answer that carries the origin's nonce.
    private func checkComplete(_ exchange: Exchange) {
        let plan = exchange.plan
        if exchange.headsAtOrigin == 0 { violate(exchange, "an answer of an origin that saw no request") }
        if !exchange.isFullySent, !plan.answersEarly { violate(exchange, "an answer before the request was sent") }
        if exchange.lacksEnd { violate(exchange, "an answer without its end looked complete") }
        switch plan.originDefect {
        case .malformed: violate(exchange, "a malformed answer looked complete")
        case .stalls, .stopsReading: violate(exchange, "an answer that was never given")
        case .truncates, .resets:
            if exchange.taints.contains("cut answer") { violate(exchange, "an incomplete answer looked complete") }
        case .extraBytes, .closes, nil: break
        }
        if case .malformed = plan.clientDefect { violate(exchange, "a malformed request was answered by the origin") }
    }

    /// Whether the gateway's own answer is what the plan asks for.
    private func isDue(_ exchange: Exchange, _ status: Int) -> Bool {
        switch exchange.plan.kind {
        case .authorised(let leave): leave.status == status && exchange.authAnswers > 0
        case .decided(.replies): status == 418
        case .limited: status == 429 && exchange.mayPass == false
        case .plain, .decided, .tunnel, .call: false
        }
    }

    package func exchange(_ nonce: String) -> Exchange? { byNonce[nonce] }

    /// The limiter was asked, and this is what it had to say.
    func limited(_ nonce: String, mayPass: Bool) {
        guard let exchange = byNonce[nonce] else {
            network.violate("the limiter was asked about \(nonce)")
            return
        }
        if exchange.mayPass != nil { violate(exchange, "the limiter was asked twice") }
        exchange.mayPass = mayPass
    }

    /// The gateway closes a connection that the client wanted to keep.
    package func closed(behind exchange: Exchange) {
        if !exchange.isEarly, !isExcused(exchange), network.now < network.endsAt {
            violate(exchange, "closed the client's connection without a reason")
        }
    }

    /// The gateway takes no more streams of a connection that was made at this time.
    func wentAway(since time: Instant, _ number: Int) {
        if network.lastExcuse < time.advanced(by: -Self.excuseSlack), network.now < network.endsAt {
            network.violate("GOAWAY on connection \(number) without a reason")
        }
    }

    private func isExcused(_ exchange: Exchange) -> Bool {
        !exchange.taints.isEmpty || exchange.connection?.trouble != nil || isDisturbed(exchange)
    }

    /// Whether something may have hit it that was not meant for it.
    private func isDisturbed(_ exchange: Exchange) -> Bool {
        network.lastExcuse >= exchange.startedAt.advanced(by: -Self.excuseSlack) || isOvertakenByEnd(exchange)
    }

    /// Whether it came too late for a gateway that was told to end, or took too long for it.
    private func isOvertakenByEnd(_ exchange: Exchange) -> Bool {
        guard network.now >= network.endsAt else { return false }
        guard exchange.plan.kind != .call else { return true }
        return exchange.startedAt >= network.endsAt || network.now >= network.endedAt
            || exchange.connection.map { $0.acceptedAt >= network.endsAt } ?? false
    }

    // MARK: The origin's side

    /// An origin read a head. Nil when it names no exchange.
    /// - Parameter isLate: it may have stood in a queue of the origin's own since it was sent.
    package func origin(sees nonce: String, head: StrictHead, isLate: Bool = false) -> Exchange? {
        guard let exchange = byNonce[nonce] else {
            network.violate("an origin sees a request that nobody sent: \(head.startLine)")
            return nil
        }
        exchange.headsAtOrigin += 1
        let plan = exchange.plan
        if exchange.headsAtOrigin > 1, !plan.isIdempotent { violate(exchange, "a POST reached an origin twice") }
        if exchange.headsAtOrigin > 2 { violate(exchange, "more than one retry") }
        if case .malformed(let kind) = plan.clientDefect, kind != 7 {
            violate(exchange, "a malformed head reached an origin")
        }
        if exchange.taints.contains("behind a malformed request") {
            violate(exchange, "read behind a request that was refused")
        }
        if !isLate, exchange.outcome != nil, exchange.outcome != .cut, exchange.outcome != .gaveUp,
            exchange.headsAtOrigin > 1
        {
            violate(exchange, "sent again after its end")
        }
        if exchange.connection?.isForbidden == true { violate(exchange, "passed, and had no right to") }
        if exchange.lacksEnd { exchange.lacksEnd = false }
        checkLeave(exchange, head)
        if plan.clientDefect.map(\.isMalformed) != true { checkHead(exchange, head) }
        return exchange
    }

    /// The service behind `forward_auth` is asked. Nil when nobody may ask.
    func auth(sees nonce: String, head: StrictHead) -> Exchange? {
        guard let exchange = byNonce[nonce], case .authorised = exchange.plan.kind else {
            network.violate("a sub-request for nobody: \(head.startLine)")
            return nil
        }
        if head.startLine != "GET /check HTTP/1.1" { violate(exchange, "sub-request \(head.startLine)") }
        if head.values("x-forwarded-method") != [exchange.plan.method] {
            violate(exchange, "another method is asked for")
        }
        if head.values("x-forwarded-uri").first?.hasPrefix("/a/\(nonce)?fill=") != true {
            violate(exchange, "leave is asked for \(head.values("x-forwarded-uri"))")
        }
        if exchange.headsAtOrigin > 0 { violate(exchange, "leave is asked for behind the request") }
        return exchange
    }

    /// Nothing passes without the leave that it needs, or with another's.
    private func checkLeave(_ exchange: Exchange, _ head: StrictHead) {
        let users = head.values("x-user") + head.values("x_user")
        let decisions = head.values("x-decided")
        switch exchange.plan.kind {
        case .authorised(let leave):
            if leave != .given || exchange.authAnswers == 0 { violate(exchange, "passed without leave (\(leave))") }
            if users != ["u-\(exchange.plan.nonce)"] { violate(exchange, "passed as \(users)") }
        case .decided(let decision):
            if decision == .replies || decision == .missing { violate(exchange, "passed, but \(decision)") }
            if decisions != ["d-\(exchange.plan.nonce)"] { violate(exchange, "passed by \(decisions)") }
        case .limited:
            if exchange.mayPass == false { violate(exchange, "passed the limiter") }
        case .plain, .tunnel, .call:
            break
        }
    }

    /// The forwarding normal form.
    private func checkHead(_ exchange: Exchange, _ head: StrictHead) {
        let plan = exchange.plan
        if !head.startLine.hasPrefix("\(plan.method) /\(plan.kind.letter)/\(plan.nonce)?fill=")
            || !head.startLine.hasSuffix(" HTTP/1.1")
        {
            violate(exchange, "request line \(head.startLine)")
        }
        if head.values("x-nonce") != [plan.nonce] { violate(exchange, "fields of another exchange") }
        if head.values("host") != ["a.test"] { violate(exchange, "Host: \(head.values("host"))") }
        if head.fields.first?.name != "host" { violate(exchange, "Host is not the first field") }
        if !head.values("x-hop").isEmpty { violate(exchange, "a hop-by-hop field was passed on") }
        if let client = exchange.client, head.values("x-forwarded-for") != [client] {
            violate(exchange, "comes from \(head.values("x-forwarded-for")) in place of \(client)")
        }
        if let connection = exchange.connection,
            head.values("x-forwarded-proto") != [connection.peerSecurity == nil ? "http" : "https"]
        {
            violate(exchange, "X-Forwarded-Proto: \(head.values("x-forwarded-proto"))")
        }
        if head.values("x-filler") != [String(repeating: "f", count: plan.fillerCount)] {
            violate(exchange, "a field was changed")
        }
    }

    /// An origin read a request to its end.
    package func originReachedEnd(_ exchange: Exchange, received: Int) {
        exchange.endsAtOrigin += 1
        if received != exchange.plan.requestBody.count {
            violate(exchange, "\(received) bytes of \(exchange.plan.requestBody.count) looked complete to the origin")
        }
        if !exchange.isFullySent { violate(exchange, "complete at the origin before it was sent") }
        if case .malformed = exchange.plan.clientDefect { violate(exchange, "a malformed request looked complete") }
    }

    // MARK: The end

    /// Every exchange must have ended.
    package func finish() {
        for exchange in exchanges where exchange.outcome == nil { violate(exchange, "neither answered nor failed") }
        for exchange in exchanges where exchange.outcome == .tunnel { checkTunnel(exchange) }
    }
}

extension ShadowModel {
    /// A WebSocket connection is over: all frames have come, and who was told why is the one who had to be.
    private func checkTunnel(_ exchange: Exchange) {
        // A gateway that drains ends what it wants when it wants, with 1001 or in the middle of a frame.
        guard let plan = exchange.tunnelPlan, !isDisturbed(exchange), exchange.endedAt < network.endsAt else { return }
        let record = exchange.tunnel
        let isClosedByOrigin = record.sent[.response]?.contains { $0.opcode == 8 } == true
        // Only between two frames can a gateway say anything.
        let mayHear =
            record.isWhole(from: .response) && !isClosedByOrigin && !record.insideFrame.contains(.request)
        switch plan.ending {
        case .clientCloses, .originCloses, .silence:
            for side in [Payload.Side.request, .response] where !record.isWhole(from: side) {
                violate(exchange, "frames of \(side) are lost")
            }
            if plan.ending == .silence, record.gatewayCloses != [.request: 1_001, .response: 1_001] {
                violate(exchange, "a silent tunnel was closed with \(record.gatewayCloses)")
            }
        case .clientBreach, .originBreach:
            if mayHear, record.gatewayCloses[.request] != 1_002 {
                violate(exchange, "the client of a breach was told \(record.gatewayCloses)")
            }
        case .clientSendsTooMuch:
            if mayHear, record.gatewayCloses[.request] != 1_009 {
                violate(exchange, "the client of a message too long was told \(record.gatewayCloses)")
            }
        case .originLeaves(resets: false):
            if mayHear, record.gatewayCloses[.request] != 1_011 {
                violate(exchange, "the client of an origin that left was told \(record.gatewayCloses)")
            }
        case .clientLeaves, .originLeaves: break
        }
    }
}
