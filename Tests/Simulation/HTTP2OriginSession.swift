import Containers

/// One connection of an origin that speaks HTTP/2: answers each stream as its exchange's plan says.
final class HTTP2OriginSession: SimulatedPeer {
    /// A request on its stream.
    ///
    ///     reading ─end─▶ thinking ─▶ answering ─▶ over
    ///        └── early answer ──────────┘          any ─ defect ─▶ reset
    struct Work {
        let exchange: ShadowModel.Exchange
        let expected: [UInt8]
        var received = 0
        var isRequestComplete = false
        var tunnel: TunnelEnd?
    }

    unowned let connection: SimulatedConnection
    unowned let network: SimulatedNetwork
    unowned let shadow: ShadowModel
    var end: HTTP2End?
    var works: [UInt32: Work] = [:]
    /// What came before our settings were sent.
    var early: [UInt8] = []
    var isHeldBack = false
    var isGone = false
    /// The streams behind it are not served.
    var lastServed = UInt32.max
    /// Streams at once; nil: as many as there may be.
    var streamsLimit: Int?
    var served = 0
    /// The last stream that brought a request.
    var lastBegun: UInt32 = 0

    init(connection: SimulatedConnection, network: SimulatedNetwork, shadow: ShadowModel) {
        self.connection = connection
        self.network = network
        self.shadow = shadow
    }

    func connected(_ connection: SimulatedConnection) {
        if network.happens(.originSlowReader) {
            connection.pace = .slowly(bytes: 500 + network.random.below(20_000), every: 2_000_000)
        }
        // The wire is shared: what waits for it counts as sent, and the time for the answer runs.
        connection.towardsPeer.window = max(connection.towardsPeer.window, 65_536)
        if network.happens(.originFewStreams) { streamsLimit = 1 + network.random.below(4) }
        if network.happens(.originSettingsLate) {
            begin(after: Int64(network.random.below(400)) * 1_000_000)
        } else if network.happens(.originSettingsMissing) {
            network.excuse(until: network.now.advanced(by: 20_000_000_000))
            begin(after: 20_000_000_000)
        } else {
            begin()
        }
        somethingElse()
    }

    private func begin(after delay: Int64) {
        isHeldBack = true
        network.after(delay) { [self] in
            guard !isGone else { return }
            isHeldBack = false
            begin()
            end?.received(early)
            early = []
        }
    }

    private func begin() {
        let end = HTTP2End(
            isClient: false, pace: HTTP2Pace(network), connection: connection, network: network, user: self)
        self.end = end
        var settings: [(UInt16, Int)] = [(8, 1)]
        if let streamsLimit { settings.append((3, streamsLimit)) }
        end.begin(settings: settings)
    }

    /// What has nothing to do with requests.
    private func somethingElse() {
        network.after(Int64(network.random.below(300)) * 1_000_000) { [self] in
            guard !isGone else { return }
            if let end, !end.isOver {
                if network.happens(.settingsChange) { end.changeSettings() }
                if network.happens(.streamPing) { end.ping() }
                if !works.isEmpty, network.random.below(4) == 0, network.happens(.originBreaksFrames) {
                    network.note { "origin breaks a rule on \(connection.number)" }
                    end.isBreaking = true
                    end.write(Self.breach(network.random.below(Self.breachCount)))
                }
            }
            somethingElse()
        }
    }

    private static let breachCount = 9

    /// What ends any connection (RFC 9113 sections 4 to 6).
    private static func breach(_ kind: Int) -> [UInt8] {
        switch kind {
        case 0: HTTP2Frame.bytes(.data, stream: 0, [1, 2, 3])
        case 1: HTTP2Frame.bytes(.headers, HTTP2Frame.endHeaders, stream: 2, [0x88])
        case 2: HTTP2Frame.windowUpdate(0, 0)
        case 3: HTTP2Frame.bytes(.settings, [0, 4, 0, 0, 1])
        case 4: HTTP2Frame.bytes(.pushPromise, HTTP2Frame.endHeaders, stream: 1, [0, 0, 0, 2, 0x82])
        case 5: HTTP2Frame.bytes(.continuation, stream: 1, [0x88])
        case 6: HTTP2Frame.bytes(.data, stream: 1, Array(repeating: 0, count: 16_385))
        case 7: HTTP2Frame.reset(0x7FFF_FFFF, .cancel)
        default: HTTP2Frame.bytes(.headers, HTTP2Frame.endHeaders, stream: 0x7FFF_FFFF, [0x88])
        }
    }

    // MARK: Answers

    func plan(_ stream: UInt32) -> ExchangePlan? { works[stream]?.exchange.plan }

    func taint(_ stream: UInt32, _ text: String) { works[stream]?.exchange.taints.append(text) }

    func think(_ stream: UInt32) {
        guard let plan = plan(stream), let end else { return }
        if plan.originDefect == .stalls || plan.originDefect == .stopsReading {
            taint(stream, "stalled")
            network.inflicts(.originStalls)
            return
        }
        if plan.interims > 16 {
            network.inflicts(.originInterimFlood)
            taint(stream, "interim answers without end")
        }
        for _ in 0..<plan.interims {
            network.inflicts(.originInterim)
            end.sendHead(stream, [(":status", "103"), ("x-nonce", plan.nonce)], isEnd: false)
        }
        if plan.thinks == 0 {
            answer(stream)
        } else {
            network.after(plan.thinks) { [self] in answer(stream) }
        }
    }

    private func answer(_ stream: UInt32) {
        guard let plan = plan(stream), let end, end.isOpen(stream), !end.isOver else { return }
        let content = plan.answerHasBody ? Payload.bytes(plan.nonce, .response, count: plan.responseBody.count) : []
        switch plan.originDefect {
        case .malformed(let kind):
            network.inflicts(.originMalformed)
            taint(stream, "malformed answer")
            end.sendHead(stream, HTTP2Answer.malformed(kind, plan), isEnd: false)
            end.send(stream, Array("hello".utf8))
            end.finish(stream)
        case .truncates(let thousandths) where !isWhole(plan, content, thousandths),
            .resets(let thousandths) where !isWhole(plan, content, thousandths):
            cut(stream, plan, content, thousandths)
        case .truncates, .resets, .extraBytes, .closes, .stalls, .stopsReading, nil:
            let trailers = HTTP2Answer.trailers(plan)
            let isEnd = content.isEmpty && trailers.isEmpty && plan.cutSeed % 3 > 0
            end.sendHead(stream, HTTP2Answer.fields(plan), isEnd: isEnd)
            if isEnd { return }
            write(content, stream, slowly: plan.answersSlowly)
        }
    }

    /// Whether so much of an answer is all of it, for whoever goes by the length that was announced.
    private func isWhole(_ plan: ExchangePlan, _ content: [UInt8], _ thousandths: Int) -> Bool {
        let kept = content.count * thousandths / 1_000
        return thousandths > 100 && (!plan.answerHasBody || plan.responseBody == .length(kept))
    }

    /// An answer that is visibly not whole: reset, or shorter than it said.
    private func cut(_ stream: UInt32, _ plan: ExchangePlan, _ content: [UInt8], _ thousandths: Int) {
        guard let end else { return }
        let isReset = plan.originDefect == .resets(thousandths)
        network.inflicts(isReset ? .originResets : .originTruncates)
        let kept = content.count * thousandths / 1_000
        taint(stream, "cut answer")
        if thousandths > 100 {
            end.sendHead(stream, HTTP2Answer.fields(plan), isEnd: false)
            end.send(stream, Array(content.prefix(kept)))
        }
        if !isReset, case .length = plan.responseBody, thousandths > 100, kept < content.count {
            end.finish(stream)
        } else {
            let codes = [HTTP2Code.internalError, .cancel, .protocolError, .noError, .enhanceYourCalm]
            end.reset(stream, codes[thousandths % codes.count])
            works[stream] = nil
        }
    }

    /// Writes at once, or in pieces over a second at most.
    private func write(_ content: [UInt8], _ stream: UInt32, slowly: Bool) {
        guard slowly, content.count > 1 else {
            end?.send(stream, content)
            end?.finish(stream, trailers: plan(stream).map { HTTP2Answer.trailers($0) } ?? [])
            return
        }
        network.inflicts(.originSlowAnswer)
        let piece = max(1, content.count / (2 + network.random.below(20)))
        func step(_ at: Int) {
            guard let end, !isGone, end.isOpen(stream), let plan = plan(stream) else { return }
            let next = min(content.count, at + piece)
            end.send(stream, Array(content[at..<next]))
            if next == content.count {
                end.finish(stream, trailers: HTTP2Answer.trailers(plan))
            } else {
                network.after(Int64(network.random.below(40_000_000))) { step(next) }
            }
        }
        step(0)
    }

    /// The answer is on its way, as far as windows let it.
    func answered(_ stream: UInt32) {
        guard let work = works[stream], work.tunnel == nil else { return }
        if case .closes(let announced) = work.exchange.plan.originDefect {
            network.inflicts(.originClosesAfterAnswer)
            if announced {
                goAway(behind: stream)
            } else {
                leave(byReset: false)
                return
            }
        }
        if work.isRequestComplete {
            forget(stream)
        } else if work.exchange.plan.cutSeed % 2 == 0 {
            // RFC 9113 section 8.1: the rest of the request is of no use.
            end?.reset(stream, .noError)
            forget(stream)
        }
    }

    func forget(_ stream: UInt32) {
        works[stream] = nil
        guard works.isEmpty else { return }
        if lastServed != .max {
            network.after(Int64(network.random.below(50)) * 1_000_000) { [self] in
                if !isGone, works.isEmpty { leave(byReset: false) }
            }
        } else if network.decides(.originClosesIdle) {
            let current = served
            network.after(Int64(network.random.below(400)) * 1_000_000) { [self] in
                guard served == current, !isGone else { return }
                network.inflicts(.originClosesIdle)
                if network.random.below(2) == 0 { end?.goAway() }
                leave(byReset: network.random.below(4) == 0)
            }
        }
    }

    func goAway(behind last: UInt32) {
        guard last < lastServed else { return }
        lastServed = last
        end?.write(HTTP2Frame.goAway(last: last, .noError))
    }

    func leave(byReset: Bool) {
        guard !isGone else { return }
        isGone = true
        end?.end()
        let lost = works
        works = [:]
        for stream in lost.keys.sorted() { lost[stream]?.tunnel?.ended() }
        if byReset { connection.reset() } else { connection.close() }
    }

    // MARK: Peer

    func refused(_ connection: SimulatedConnection) {}

    func received(_ connection: SimulatedConnection, _ bytes: [UInt8]) {
        if isGone { return }
        if isHeldBack { early += bytes } else { end?.received(bytes) }
    }

    func ended(_ connection: SimulatedConnection) { leave(byReset: false) }

    func wasReset(_ connection: SimulatedConnection) {
        isGone = true
        end?.end()
        let lost = works
        works = [:]
        for stream in lost.keys.sorted() { lost[stream]?.tunnel?.ended() }
    }
}
