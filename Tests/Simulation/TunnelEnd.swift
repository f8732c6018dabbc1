import Containers

/// What both ends of a WebSocket connection know of it.
package final class TunnelRecord {
    /// Frames that each side has sent, a gateway's own not among them.
    fileprivate(set) var sent: [Payload.Side: [TunnelFrame]] = [.request: [], .response: []]
    /// How many of the other side's frames each side has got.
    fileprivate(set) var seen: [Payload.Side: Int] = [.request: 0, .response: 0]
    /// Close codes of the gateway's own that each side has got.
    fileprivate(set) var gatewayCloses: [Payload.Side: UInt16] = [:]
    fileprivate(set) var gatewayPings = 0
    /// Sides that have got a part of a frame, and not its end: nobody can tell them anything.
    fileprivate(set) var insideFrame: Set<Payload.Side> = []

    /// Whether all that one side sent has come to the other.
    func isWhole(from side: Payload.Side) -> Bool {
        seen[side == .request ? .response : .request] == sent[side]?.count
    }
}

/// What carries the frames of a WebSocket connection: all of a connection, or a stream of one.
protocol TunnelWire: AnyObject {
    func write(_ bytes: [UInt8])
    func close()
    func reset()
}

extension SimulatedConnection: TunnelWire {}

/// One end of a WebSocket connection: sends its part of the plan, and checks that what comes is what the other end sent, but
/// for the control frames that a gateway may put between two frames.
final class TunnelEnd {
    /// Going away (idle, draining), breach, too big, and an upstream that left (RFC 6455 section 7.4.1).
    private static let codes: Set<UInt16> = [1_001, 1_002, 1_009, 1_011]

    private let side: Payload.Side
    private let exchange: ShadowModel.Exchange
    private let plan: TunnelPlan
    private let connection: any TunnelWire
    private unowned let network: SimulatedNetwork
    private let record: TunnelRecord
    private var reader: TunnelReader
    private var hasSentClose = false
    private var hasGotClose = false
    /// Sends and reads nothing more.
    private(set) var isOver = false {
        didSet { if isOver, !oldValue { whenOver() } }
    }
    private let whenOver: () -> Void

    init(
        _ side: Payload.Side, of exchange: ShadowModel.Exchange, _ plan: TunnelPlan, on connection: any TunnelWire,
        _ network: SimulatedNetwork, whenOver: @escaping () -> Void
    ) {
        self.whenOver = whenOver
        self.side = side
        self.exchange = exchange
        self.plan = plan
        self.connection = connection
        self.network = network
        record = exchange.tunnel
        reader = TunnelReader(isMasked: side == .response)
    }

    private var other: Payload.Side { side == .request ? .response : .request }

    // MARK: Sending

    func start() { act(side == .request ? plan.client[...] : plan.origin[...]) }

    private func act(_ actions: ArraySlice<TunnelPlan.Action>) {
        guard !isOver, !hasSentClose, !hasGotClose else { return }
        guard let action = actions.first else {
            finish()
            return
        }
        network.after(action.pause) { [self] in
            guard !isOver, !hasSentClose, !hasGotClose else { return }
            for frame in action.frames { send(frame) }
            act(actions.dropFirst())
        }
    }

    private func send(_ frame: TunnelFrame) {
        record.sent[side]?.append(frame)
        write(frame)
        if frame.opcode == 8 { hasSentClose = true }
    }

    private func write(_ frame: TunnelFrame) {
        connection.write(frame.bytes(mask: side == .request ? UInt32(truncatingIfNeeded: network.random.next()) : nil))
    }

    /// All is said: what the plan has for the end.
    private func finish() {
        switch (plan.ending, side) {
        case (.clientCloses(let code), .request), (.originCloses(let code), .response): send(.close(code))
        case (.clientLeaves(let resets), .request):
            network.inflicts(.tunnelClientLeaves)
            leave(resets: resets, because: "the client left")
        case (.originLeaves(let resets), .response):
            network.inflicts(.tunnelOriginLeaves)
            leave(resets: resets, because: "the origin left")
        case (.clientBreach(let kind), .request):
            network.inflicts(.tunnelClientBreach)
            breach(kind)
        case (.originBreach(let kind), .response):
            network.inflicts(.tunnelOriginBreach)
            breach(kind)
        case (.clientSendsTooMuch, .request):
            network.inflicts(.tunnelTooMuch)
            exchange.taints.append("too much")
            write(TunnelFrame(opcode: 2, payload: [UInt8](repeating: 7, count: TunnelPlan.messageLimit + 1)))
        case (.silence, .request): network.inflicts(.tunnelSilence)
        default: break
        }
    }

    /// A frame that must not reach the other side.
    private func breach(_ kind: Int) {
        exchange.taints.append("breach \(kind) of \(side)")
        let mask: UInt32? = side == .request ? 0x0102_0304 : nil
        switch kind {
        case 0: connection.write(TunnelFrame(opcode: 1, payload: [1]).bytes(mask: mask == nil ? 5 : nil))
        case 1: connection.write(TunnelFrame(opcode: 3, payload: [1]).bytes(mask: mask))
        case 2:
            var ping = TunnelFrame(opcode: 9, payload: [1])
            ping.isFinal = false
            connection.write(ping.bytes(mask: mask))
        default: connection.write(TunnelFrame(opcode: 9, payload: [UInt8](repeating: 1, count: 126)).bytes(mask: mask))
        }
    }

    private func leave(resets: Bool, because reason: String) {
        isOver = true
        exchange.taints.append(reason)
        if resets { connection.reset() } else { connection.close() }
    }

    // MARK: Receiving

    func received(_ bytes: [UInt8]) {
        guard !isOver else { return }
        reader.feed(bytes)
        do throws(TunnelReader.Malformed) {
            while !isOver, let frame = try reader.next() { take(frame) }
            if reader.isAtBorder { record.insideFrame.remove(side) } else { record.insideFrame.insert(side) }
        } catch {
            violate("\(error.reason) in a frame for \(side)")
        }
    }

    private func take(_ frame: TunnelFrame) {
        if hasGotClose { violate("a frame behind the close frame") }
        let seen = record.seen[side] ?? 0
        let sent = record.sent[other] ?? []
        if seen < sent.count, sent[seen] == frame {
            record.seen[side] = seen + 1
            if frame.opcode == 8 { closes(frame, isGateways: false) }
            return
        }
        if frame.opcode == 9, frame.payload.isEmpty {
            record.gatewayPings += 1
            if plan.ending != .silence, !hasSentClose { send(TunnelFrame(opcode: 10, payload: [])) }
        } else if frame.opcode == 8, let code = frame.closeCode, Self.codes.contains(code) {
            record.gatewayCloses[side] = code
            network.note { "\(exchange.plan.nonce): the gateway closes \(side) with \(code)" }
            closes(frame, isGateways: true)
        } else {
            violate("frame \(frame.opcode) of \(frame.payload.count) bytes, and not frame \(seen) of \(sent.count)")
        }
    }

    private func closes(_ frame: TunnelFrame, isGateways: Bool) {
        hasGotClose = true
        if isGateways {
            // The answer is the gateway's to read.
            if !hasSentClose { write(frame) }
        } else if !hasSentClose {
            send(frame)
        }
        // The server ends the connection first (RFC 6455 section 7.1.1).
        if side == .response {
            isOver = true
            connection.close()
        } else {
            network.after(2_000_000_000) { [self] in
                if !isOver {
                    isOver = true
                    connection.close()
                }
            }
        }
    }

    /// The connection is over from the other end.
    func ended() {
        isOver = true
        connection.close()
    }

    private func violate(_ text: String) {
        network.violate("\(exchange.plan.nonce): \(text) \(exchange.taints)")
        isOver = true
        connection.reset()
    }
}
