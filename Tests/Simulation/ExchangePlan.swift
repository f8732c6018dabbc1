import Containers

/// What a client asks for in one exchange and what the origin does with it: drawn before the exchange begins, so that both
/// ends and the shadow model know it by its nonce.
package struct ExchangePlan: Sendable {
    package enum Framing: Sendable, Equatable {
        case none
        case length(Int)
        case chunked(Int)
        case untilClose(Int)

        package var count: Int {
            switch self {
            case .none: 0
            case .length(let count), .chunked(let count), .untilClose(let count): count
            }
        }
    }

    /// What a client does wrong.
    package enum ClientDefect: Sendable, Equatable {
        /// Gone after so many bytes of the request, by a reset or an end.
        case abortsSending(after: Int, resets: Bool)
        /// Gone after so many bytes of the answer.
        case abortsReceiving(after: Int, resets: Bool)
        /// Number of a malformed head.
        case malformed(Int)

        var isMalformed: Bool {
            if case .malformed = self { true } else { false }
        }
    }

    /// What an origin does wrong.
    package enum OriginDefect: Sendable, Equatable {
        /// Ends in the middle of the answer; the number is thousandths of it.
        case truncates(Int)
        case resets(Int)
        /// Number of a malformed answer.
        case malformed(Int)
        /// Bytes behind the answer that nobody asked for.
        case extraBytes
        case stalls
        /// Takes the head and leaves the content unread.
        case stopsReading
        /// Closes behind the answer, with or without having said so.
        case closes(announced: Bool)
    }

    /// Sixteen lower-case letters and digits, unlike any other.
    package let nonce: String
    package var kind = ExchangeKind.plain
    package var method = "GET"
    package var requestBody = Framing.none
    package var expectsContinue = false
    package var wantsClose = false
    /// HTTP/1.0: one request a connection, no coding either way.
    package var isOld = false
    package var sendsSlowly = false
    package var status = 200
    package var responseBody = Framing.length(0)
    package var interims = 0
    package var answersEarly = false
    package var answersSlowly = false
    /// Time the origin thinks.
    package var thinks: Int64 = 0
    package var fillerCount = 0
    /// Time until leave is given or refused, or the decision comes.
    package var authDelay: Int64 = 0
    package var decisionDelay: Int64 = 0
    /// The content of a call's request comes in pieces.
    package var callStreams = false
    package var callReadsSlowly = false
    /// 0: never.
    package var callCancelledAfter: Int64 = 0
    package var clientDefect: ClientDefect?
    package var originDefect: OriginDefect?
    /// For cuts of chunks and the like.
    package var cutSeed: UInt64 = 0

    /// GET, HEAD, PUT, DELETE, OPTIONS: a gateway may send it twice (RFC 9110 section 9.2.2).
    package var isIdempotent: Bool { method != "POST" }
    /// Whether the answer has content on the wire.
    package var answerHasBody: Bool { method != "HEAD" && status != 204 && status != 304 }

    package init(nonce: String) { self.nonce = nonce }
}

extension ExchangePlan {
    /// Draws a plan. The world's faults say what goes wrong.
    package static func draw(number: Int, network: SimulatedNetwork, isCall: Bool = false) -> ExchangePlan {
        var random = network.random
        let tail = String(random.next() & 0xFF_FFFF_FFFF, radix: 36)
        let head = "n\(number)x"
        let filler = String(repeating: "0", count: 32)
        var plan = ExchangePlan(nonce: String((head + tail + filler).prefix(16)))
        plan.cutSeed = random.next()
        plan.method = ["GET", "GET", "GET", "HEAD", "POST", "POST", "PUT", "DELETE", "OPTIONS"][random.below(9)]
        if plan.method == "POST" || plan.method == "PUT" {
            let count = size(&random)
            let framings: [Framing] = [.none, .length(count), .length(count), .chunked(count), .chunked(count)]
            plan.requestBody = framings[random.below(framings.count)]
            plan.expectsContinue = plan.requestBody.count > 0 && random.below(8) == 0
        }
        plan.wantsClose = random.below(12) == 0
        plan.status = [200, 200, 200, 200, 201, 204, 304, 404, 500][random.below(9)]
        let count = size(&random)
        plan.responseBody = random.below(3) == 0 ? .chunked(count) : .length(count)
        plan.thinks = random.below(3) == 0 ? Int64(random.below(40_000_000)) : 0
        plan.fillerCount = random.below(10) == 0 ? random.below(3_000) : random.below(60)
        network.random = random
        plan.drawFaults(network)
        if isCall { plan.becomeCall(network) } else if plan.clientDefect == nil { plan.drawKind(network) }
        return plan
    }

    /// The handshake of a WebSocket connection.
    static func drawTunnel(number: Int, network: SimulatedNetwork) -> ExchangePlan {
        let drawn = draw(number: number, network: network)
        var plan = ExchangePlan(nonce: drawn.nonce)
        plan.kind = .tunnel
        plan.cutSeed = drawn.cutSeed
        plan.fillerCount = drawn.fillerCount
        return plan
    }

    private mutating func drawKind(_ network: SimulatedNetwork) {
        switch network.random.below(10) {
        case 0, 1:
            var leave = ExchangeKind.Leave.given
            if network.decides(.authRefuses) { leave = [.refused, .loginWanted, .redirected][network.random.below(3)] }
            if network.decides(.authFails) {
                leave = [.failing, .reset, .stalled, .tooLarge][network.random.below(4)]
            }
            if network.decides(.authSlow) { authDelay = Int64(network.random.below(800)) * 1_000_000 + 1 }
            kind = .authorised(leave)
        case 2:
            var decision = ExchangeKind.Decision.passes
            decisionDelay = Int64(network.random.below(50_000_000))
            if network.decides(.decisionReplies) { decision = .replies }
            if network.decides(.decisionLate) {
                decision = .late
                decisionDelay = 31_000_000_000 + Int64(network.random.below(30_000)) * 1_000_000
            }
            if network.decides(.decisionMissing) { decision = .missing }
            kind = .decided(decision)
        case 3:
            kind = .limited
        default:
            break
        }
    }

    private mutating func becomeCall(_ network: SimulatedNetwork) {
        kind = .call
        clientDefect = nil
        isOld = false
        wantsClose = false
        expectsContinue = false
        sendsSlowly = false
        if case .malformed(let number) = originDefect, method == "HEAD" || number >= ResponseWriter.malformedHeadCount {
            originDefect = .malformed(number % ResponseWriter.malformedHeadCount)
        }
        switch requestBody {
        case .chunked: callStreams = true
        // What is handed over whole is queued whole: it is in memory already.
        case .length(let count): callStreams = count > 100_000 || network.random.below(2) == 0
        case .none, .untilClose: break
        }
        callReadsSlowly = network.decides(.callSlowReader)
        if network.decides(.callCancelled) { callCancelledAfter = 1 + Int64(network.random.below(300)) * 1_000_000 }
    }

    private mutating func drawFaults(_ network: SimulatedNetwork) {
        if network.decides(.clientSlowBody), requestBody.count > 0 { sendsSlowly = true }
        if network.decides(.originInterim) { interims = 1 + network.random.below(3) }
        if network.random.below(4) == 0, network.decides(.originInterimFlood) {
            interims = 17 + network.random.below(30)
        }
        if network.decides(.originSlowAnswer) { answersSlowly = true }
        if network.decides(.originUntilClose), answerHasBody { responseBody = .untilClose(responseBody.count) }
        if network.decides(.originEarlyAnswer), requestBody.count > 0, !expectsContinue { answersEarly = true }
        if network.decides(.clientMalformed) {
            clientDefect = .malformed(network.random.below(RequestWriter.malformedCount))
            method = "POST"
            requestBody = .none
            expectsContinue = false
        } else if network.decides(.clientIsOld) {
            isOld = true
            wantsClose = true
            expectsContinue = false
            if requestBody != .none { requestBody = .length(requestBody.count) }
        } else if network.decides(.clientAborts) {
            let resets = network.random.below(2) == 0
            clientDefect =
                network.random.below(2) == 0
                ? .abortsSending(after: network.random.below(300 + requestBody.count), resets: resets)
                : .abortsReceiving(after: network.random.below(200 + responseBody.count), resets: resets)
        }
        if network.decides(.originTruncates) { originDefect = .truncates(network.random.below(1_000)) }
        if network.decides(.originResets) { originDefect = .resets(network.random.below(1_000)) }
        if network.decides(.originMalformed) {
            // An answer without content cannot have malformed content.
            let kinds = method == "HEAD" ? ResponseWriter.malformedHeadCount : ResponseWriter.malformedCount
            originDefect = .malformed(network.random.below(kinds))
        }
        if network.decides(.originStalls) { originDefect = .stalls }
        if network.decides(.originStopsReading), requestBody.count > 0 { originDefect = .stopsReading }
        if network.decides(.originExtraBytes) { originDefect = .extraBytes }
        if network.decides(.originClosesAfterAnswer) {
            originDefect = .closes(announced: network.random.below(2) == 0)
        }
    }

    /// Sizes around the borders of buffers and windows, and between.
    private static func size(_ random: inout RandomSource) -> Int {
        switch random.below(10) {
        case 0: 0
        case 1: 1
        case 2..<7: random.below(3_000)
        case 7: 16_384 - 70 + random.below(140)
        case 8: random.below(40_000)
        default: random.below(600_000)
        }
    }
}
