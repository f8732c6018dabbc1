public import Containers
import Linux
public import TLS

/// TLS between a socket and the worker: sealed bytes on one side, content on the other.
///
///     kernel ─▶ input ─▶ stream ─▶ data            send ─▶ stream ─▶ output ─▶ kernel
///
/// A connection holds no buffer for it unless a record came in parts, or more came than was asked for in a turn.
extension EpollDriver {
    /// Content that is sealed into one buffer: seven full records, which with their framing fit into a large one.
    private static var sealedAtOnce: Int { 7 * 16_384 }
    /// Room for what a step of a handshake, or an answer to a control message, sends at once.
    private static var controlRoom: Int { BufferPool.messageBytes }

    // MARK: Beginning

    @usableFromInline
    package mutating func secure(_ socket: SocketID, _ stream: consuming TLSStream) {
        guard slots.contains(socket), !slots[socket].flags.hasAny([.broken, .secure]) else { return }
        var connection = SocketTLS(stream)
        let isServer = connection.isServer
        if let received = slots[socket].partial.take() {
            slots[socket].flags.remove(.holdsPartial)
            connection.input = consume received
        }
        let hasInput = connection.input != nil
        guard let key = tls.insert(connection) else {
            markBroken(socket)
            return
        }
        slots[socket].tls = key
        slots[socket].flags.insert(.secure)
        if hasInput {
            visitSoon(socket)
        } else if !isServer {
            sayHello(socket, key)
        }
    }

    @usableFromInline
    package mutating func security(_ socket: SocketID) -> SecurityFacts? {
        guard slots.contains(socket) else { return nil }
        let key = slots[socket].tls
        guard tls.contains(key), tls[key].phase == .open else { return nil }
        return tls[key].facts
    }

    @usableFromInline
    package mutating func takeSession(_ socket: SocketID) -> TLSSession? {
        guard slots.contains(socket) else { return nil }
        let key = slots[socket].tls
        guard tls.contains(key) else { return nil }
        return tls[key].stream.takeSession()
    }

    /// A client speaks first.
    private mutating func sayHello(_ id: SocketID, _ key: SlabKey) {
        var nothing = buffers.take(.head)
        let step = shake(id, key, &nothing)
        buffers.give(nothing)
        if case .failed = step { markBroken(id) }
    }

    /// There is something to do for it that the kernel does not know of.
    private mutating func visitSoon(_ id: SocketID) {
        slots[id].flags.formUnion(.readable)
        if slots[id].markQueued() { ready.append(id.rawValue) }
    }

    // MARK: Receiving

    /// A visit of a secure connection that may be read.
    @inline(never)
    mutating func receiveSealed(_ id: SocketID) -> IOEvent? {
        let key = slots[id].tls
        guard tls.contains(key) else { return nil }
        if tls[key].sawEnd {
            slots[id].flags.remove(.readable)
            slots[id].flags.insert(.sawEnd)
            return .endOfStream(id)
        }
        var input: Buffer
        if let rest = tls[key].input.take() {
            input = rest
            // What the kernel has meanwhile it does not tell twice.
            visitSoon(id)
        } else if tls[key].stream.hasContent {
            // What the last visit had no room for stands before all that the kernel has, an end too.
            input = buffers.take(.head)
            visitSoon(id)
        } else {
            input = buffers.takeForReceiving(isBulk: slots[id].flags.contains(.receivesBulk))
            switch fill(id, &input) {
            case .received: break
            case .nothing:
                buffers.give(input)
                return nil
            case .event(let event):
                buffers.give(input)
                return event
            }
        }
        if tls[key].phase == .open { return unseal(id, key, input) }
        if tls[key].isUntouched, tls[key].isServer, !TLSStream.isRecord(input.span) {
            return leavePlain(id, key, input)
        }
        tls[key].isUntouched = false
        return continueHandshake(id, key, input)
    }

    private enum Fill: ~Copyable {
        case received
        case nothing
        case event(IOEvent)
    }

    /// Receives into an empty buffer.
    private mutating func fill(_ id: SocketID, _ input: inout Buffer) -> Fill {
        let room = input.tailroom &- BufferPool.tailroom
        switch Socket.receive(slots[id].descriptor.number, into: &input, limit: room) {
        case .bytes(let count):
            slots[id].noteDrained(turn: turn)
            let isFull = count == room
            if isFull { slots[id].flags.insert(.receivesBulk) } else { slots[id].flags.remove(.receivesBulk) }
            if isFull || slots[id].flags.contains(.ending) { visitSoon(id) }
            return .received
        case .wouldBlock:
            slots[id].flags.remove(.readable)
            return .nothing
        case .end:
            slots[id].flags.remove(.readable)
            return .event(onTransportEnd(id))
        case .failed(let error):
            slots[id].flags.remove(.readable)
            slots[id].flags.insert(.broken)
            return .event(.failed(id, IOFailure(error)))
        }
    }

    /// The peer's direction ended without the end that TLS says. Requests say themselves where they end; an answer need not.
    private mutating func onTransportEnd(_ id: SocketID) -> IOEvent {
        let key = slots[id].tls
        if tls[key].phase == .open, tls[key].isServer {
            slots[id].flags.insert(.sawEnd)
            return .endOfStream(id)
        }
        slots[id].flags.insert(.broken)
        return .failed(id, .truncated)
    }

    /// The client speaks something else: the worker gets its bytes as they are.
    private mutating func leavePlain(_ id: SocketID, _ key: SlabKey, _ input: consuming Buffer) -> IOEvent {
        tls.discard(key)
        slots[id].tls = .none
        slots[id].flags.remove(.secure)
        return .data(id, input)
    }

    private mutating func continueHandshake(_ id: SocketID, _ key: SlabKey, _ input: consuming Buffer) -> IOEvent? {
        var input = input
        switch shake(id, key, &input) {
        case .done:
            tls[key].phase = .open
            keepInput(id, key, input)
            return .secured(id)
        case .needsInput, .needsRoom:
            buffers.give(input)
            return nil
        case .failed(let failure):
            buffers.give(input)
            slots[id].flags.insert(.broken)
            return .failed(id, .handshake(failure))
        }
    }

    /// Content may stand behind what was taken: it is looked at in the next turn.
    private mutating func keepInput(_ id: SocketID, _ key: SlabKey, _ input: consuming Buffer) {
        if input.isEmpty {
            buffers.give(input)
        } else {
            tls[key].input = consume input
            visitSoon(id)
        }
    }

    /// A step of the handshake; what it has to say is sent.
    private mutating func shake(_ id: SocketID, _ key: SlabKey, _ input: inout Buffer) -> TLSStream.HandshakeStep {
        while true {
            var output = buffers.take(atLeast: Self.controlRoom)
            let step = tls[key].stream.shakeHands(&input, &output)
            if output.isEmpty {
                buffers.give(output)
            } else {
                enqueue(id, output, more: false)
            }
            guard case .needsRoom = step else { return step }
        }
    }

    /// Content of what was received: as much as a buffer holds, the rest in the next turn.
    private mutating func unseal(_ id: SocketID, _ key: SlabKey, _ input: consuming Buffer) -> IOEvent? {
        var input = input
        var content = takeContent(id, isBulk: input.count > BufferPool.messageBytes)
        let had = content.count
        var failure: TLSFailure?
        reading: while content.tailroom > BufferPool.tailroom {
            switch read(id, key, &input, into: &content) {
            case .content: continue
            case .needsInput, .needsRoom: break reading
            case .ended:
                tls[key].sawEnd = true
                break reading
            case .failed(let found):
                failure = found
                break reading
            }
        }
        let isMore = !input.isEmpty || tls[key].stream.hasContent
        if failure == nil, !tls[key].sawEnd, !input.isEmpty {
            tls[key].input = consume input
        } else {
            buffers.give(input)
        }
        if let failure { return breakOff(id, content, had: had, failure) }
        if content.count == had {
            giveBack(content, had: had, id)
            guard tls[key].sawEnd else {
                if isMore { visitSoon(id) }
                return nil
            }
            slots[id].flags.remove(.readable)
            slots[id].flags.insert(.sawEnd)
            return .endOfStream(id)
        }
        if isMore || tls[key].sawEnd { visitSoon(id) }
        return .data(id, content)
    }

    /// The buffer that the worker gave back, or an empty one.
    private mutating func takeContent(_ id: SocketID, isBulk: Bool) -> Buffer {
        guard let partial = slots[id].partial.take() else { return buffers.takeForReceiving(isBulk: isBulk) }
        slots[id].flags.remove(.holdsPartial)
        return partial.tailroom <= BufferPool.tailroom ? enlarge(partial) : partial
    }

    /// One read; what it has to answer (a key update) is sent.
    private mutating func read(
        _ id: SocketID, _ key: SlabKey, _ input: inout Buffer, into content: inout Buffer
    ) -> TLSStream.ReadStep {
        // The worker frames what it sends on, in the room behind.
        let limit = content.tailroom &- BufferPool.tailroom
        let step = tls[key].stream.read(&input, into: &content, limit: limit)
        guard case .needsRoom = step else { return step }
        var output = buffers.take(.head)
        let answered = tls[key].stream.read(&input, into: &content, limit: limit, &output)
        if output.isEmpty {
            buffers.give(output)
        } else {
            enqueue(id, output, more: false)
        }
        return answered
    }

    /// What came before the breach was whole: the worker gets it first.
    private mutating func breakOff(_ id: SocketID, _ content: consuming Buffer, had: Int, _ failure: TLSFailure)
        -> IOEvent
    {
        slots[id].flags.remove(.readable)
        guard content.count == had else {
            markBroken(id)
            return .data(id, content)
        }
        giveBack(content, had: had, id)
        slots[id].flags.insert(.broken)
        return .failed(id, .tls(failure))
    }

    // MARK: Sending

    /// Seals content and sends it.
    @inline(never)
    mutating func seal(_ id: SocketID, _ content: consuming Buffer, more: Bool) {
        let key = slots[id].tls
        var offset = 0
        while offset < content.count {
            let count = min(content.count &- offset, Self.sealedAtOnce)
            var sealed = takeSealed(count)
            guard tls.contains(key), tls[key].phase == .open, !tls[key].saidEnd,
                tls[key].stream.write(content, offset..<(offset &+ count), into: &sealed) == nil
            else {
                buffers.give(sealed)
                markBroken(id)
                break
            }
            offset &+= count
            enqueue(id, sealed, more: more || offset < content.count)
        }
        buffers.give(content)
    }

    private mutating func takeSealed(_ count: Int) -> Buffer {
        if TLSStream.sealedCount(of: count) <= BufferPool.headBytes { return buffers.take(.head) }
        var buffer = buffers.take(count <= BufferPool.messageBytes ? .message : .bulk)
        // Nothing is put before what is sealed, and a full record needs the place.
        buffer.clear()
        return buffer
    }

    /// Our close_notify, behind all content. The end of the direction comes next: with nothing before it, both are one segment,
    /// and the peer is woken once.
    mutating func sealEnd(_ id: SocketID) {
        let key = slots[id].tls
        guard tls.contains(key), tls[key].phase == .open, !tls[key].saidEnd else { return }
        tls[key].saidEnd = true
        var output = buffers.take(.head)
        tls[key].stream.close(&output)
        guard !output.isEmpty, slots[id].queuedBytes == 0, !slots[id].flags.contains(.connecting) else {
            if output.isEmpty { buffers.give(output) } else { enqueue(id, output, more: false) }
            return
        }
        switch Socket.sendLast(slots[id].descriptor.number, output) {
        case .bytes(let count) where count == output.count:
            buffers.give(output)
        case .bytes(let count):
            output.dropFirst(count)
            append(id, output, isBlocked: true)
        case .wouldBlock:
            append(id, output, isBlocked: true)
        case .failed:
            buffers.give(output)
            markBroken(id)
        }
    }

    /// Before a close: the peer can tell an end from a break, if the kernel takes it at once.
    mutating func sayGoodbye(_ id: SocketID) {
        guard !slots[id].flags.hasAny([.broken, .blocked, .connecting]) else { return }
        settle(id)
        sealEnd(id)
    }

    mutating func dropSecurity(_ id: SocketID) {
        let key = slots[id].tls
        guard var connection = tls.remove(key) else { return }
        if let input = connection.input.take() { buffers.give(input) }
    }
}
