package import Containers
package import Linux
package import Net

/// The default driver: epoll, edge-triggered, every connection registered once.
///
///     wait ─▶ epoll events ─┬─ listener ─▶ accepted …          (level-triggered, shared by the workers)
///                           ├─ writable ─▶ flush ─▶ drained
///                           └─ readable ─▶ ready queue ─▶ receive ─▶ data / endOfStream / failed
///
/// A receive that fills less than its buffer has drained the socket, so that a request costs one receive and
/// not a second one for EAGAIN. A socket that fills its buffer goes to the end of the queue, so that a fast peer
/// never starves the others. What fails inside a call is reported by a later `next`.
package struct EpollDriver: IODriver, ~Copyable {
    private static let wakeKey = UInt64.max
    private static let listenerBit = UInt64(1) << 63
    /// Accepts of one listener in one turn.
    private static let acceptsPerTurn = 64
    /// First pause of accepting after EMFILE and the like; doubles up to the last.
    private static let firstAcceptPause: Int64 = 100_000_000
    private static let lastAcceptPause: Int64 = 1_000_000_000

    private struct Listener {
        let descriptor: Int32
        let number: UInt32
        /// Not registered until then, because descriptors or memory had run out.
        var pausedUntil: Instant?
        var pause = EpollDriver.firstAcceptPause
        var isStopped = false
    }

    package private(set) var now: Instant
    package private(set) var wallClockSeconds: Int64
    package private(set) var wallClockNanoseconds: Int64
    package var buffers = BufferPool()

    private var epoll: Epoll
    private let wake: Wakeup
    private var slots: Slab<SocketSlot>
    private var outputs: Slab<OutputNode>
    private var listeners: [Listener] = []
    /// Connections that may be read now.
    private var ready = RingQueue<UInt64>(capacity: 256)
    /// How many of `ready` belong to this turn.
    private var readyThisTurn = 0
    private var broken = RingQueue<UInt64>()
    /// Connections whose connect finished at once.
    private var connectedAtOnce = RingQueue<UInt64>()
    private var eventIndex = 0
    private var acceptsLeft = 0
    private var turn: UInt32 = 0
    /// Times that accepting was paused since the start. For logs.
    package private(set) var acceptPauses = 0

    /// A driver for at most `connections` sockets, woken by `wake`.
    package static func make(connections: Int, wake: Wakeup) throws(Errno) -> EpollDriver {
        let epoll = try Epoll()
        if let error = epoll.addReader(wake.number, data: Self.wakeKey) { throw error }
        return EpollDriver(epoll: epoll, connections: connections, wake: wake)
    }

    private init(epoll: consuming Epoll, connections: Int, wake: Wakeup) {
        self.epoll = epoll
        self.wake = wake
        slots = Slab(limit: connections)
        outputs = Slab(limit: connections &* 4)
        now = Clock.monotonic
        (wallClockSeconds, wallClockNanoseconds) = Clock.wall
    }

    // MARK: Waiting

    package mutating func wait(until deadline: Instant) {
        var earliest = deadline
        for listener in listeners {
            if let until = listener.pausedUntil, until < earliest { earliest = until }
        }
        let timeout: Int64
        if !ready.isEmpty || !broken.isEmpty || !connectedAtOnce.isEmpty {
            timeout = 0
        } else if earliest == .never {
            timeout = -1
        } else {
            timeout = max(0, earliest.since(now))
        }
        epoll.wait(nanoseconds: timeout)
        now = Clock.monotonic
        (wallClockSeconds, wallClockNanoseconds) = Clock.wall
        eventIndex = 0
        acceptsLeft = Self.acceptsPerTurn
        turn &+= 1
        noteReadiness()
        readyThisTurn = ready.count
        resumeListeners()
    }

    /// Marks every connection that this wait found readable, before the first event is handled: `isQuiet` then knows all
    /// that the wait saw, whatever the order of the events.
    private mutating func noteReadiness() {
        for index in 0..<epoll.count {
            let (data, readiness) = epoll.event(index)
            if data & Self.listenerBit != 0 { continue }
            let id = SocketID(rawValue: data)
            guard slots.contains(id), !slots[id].isConnecting else { continue }
            if readiness.isReadable || readiness.isEnding || readiness.isBroken {
                markReadable(id, isEnding: readiness.isEnding || readiness.isBroken)
            }
        }
    }

    package mutating func next() -> IOEvent? {
        while let raw = broken.popFirst() {
            let id = SocketID(rawValue: raw)
            guard slots.contains(id) else { continue }
            return .failed(id, .reset)
        }
        while let raw = connectedAtOnce.popFirst() {
            let id = SocketID(rawValue: raw)
            guard slots.contains(id) else { continue }
            return .connected(id)
        }
        while eventIndex < epoll.count {
            let (data, readiness) = epoll.event(eventIndex)
            if data & Self.listenerBit != 0, data != Self.wakeKey {
                if let event = accept(Int(data & 0xFFFF_FFFF)) { return event }
                eventIndex &+= 1
                continue
            }
            eventIndex &+= 1
            if data == Self.wakeKey {
                wake.clear()
                return .woken
            }
            let id = SocketID(rawValue: data)
            guard slots.contains(id) else { continue }
            if let event = onReadiness(id, readiness) { return event }
        }
        while readyThisTurn > 0, let raw = ready.popFirst() {
            readyThisTurn &-= 1
            let id = SocketID(rawValue: raw)
            guard slots.contains(id) else { continue }
            slots[id].isQueued = false
            if let event = receive(id) { return event }
        }
        return nil
    }

    private mutating func onReadiness(_ id: SocketID, _ readiness: Epoll.Readiness) -> IOEvent? {
        if slots[id].isConnecting {
            if let error = Socket.pendingError(slots[id].descriptor.number) {
                slots[id].isConnecting = false
                slots[id].isBroken = true
                return .failed(id, IOFailure(error))
            }
            guard readiness.isWritable else { return nil }
            slots[id].isConnecting = false
            if readiness.isReadable || readiness.isEnding {
                markReadable(id, isEnding: readiness.isEnding)
                readyThisTurn = ready.count
            }
            return .connected(id)
        }
        if slots[id].isPaused, readiness.isBroken, !slots[id].isBroken {
            slots[id].isBroken = true
            return .failed(id, .reset)
        }
        if readiness.isWritable, slots[id].firstOutput >= 0 {
            sendQueued(id)
            if slots[id].firstOutput < 0, !slots[id].isBroken { return .drained(id) }
        }
        return nil
    }

    private mutating func markReadable(_ id: SocketID, isEnding: Bool) {
        slots[id].isReadable = true
        if isEnding { slots[id].isEnding = true }
        enqueue(id)
    }

    private mutating func enqueue(_ id: SocketID) {
        guard !slots[id].isQueued, !slots[id].isPaused, !slots[id].sawEnd, !slots[id].isBroken else { return }
        slots[id].isQueued = true
        ready.append(id.rawValue)
    }

    // MARK: Receiving

    private mutating func receive(_ id: SocketID) -> IOEvent? {
        guard slots[id].isReadable, !slots[id].isPaused, !slots[id].isBroken, !slots[id].sawEnd else { return nil }
        var buffer: Buffer
        if let partial = slots[id].partial.take() {
            buffer = partial
            if buffer.tailroom <= BufferPool.tailroom { buffer = enlarge(buffer) }
        } else {
            buffer = buffers.take(slots[id].receivesBulk ? .bulk : .message)
        }
        let had = buffer.count
        let room = buffer.tailroom &- BufferPool.tailroom
        switch Socket.receive(slots[id].descriptor.number, into: &buffer, limit: room) {
        case .bytes(let count):
            let isFull = count == room
            slots[id].lastTurn = turn
            slots[id].receivesBulk = isFull
            if isFull || slots[id].isEnding {
                slots[id].isQueued = true
                ready.append(id.rawValue)
            } else {
                slots[id].isReadable = false
            }
            return .data(id, buffer)
        case .end:
            giveBack(buffer, had: had, id)
            slots[id].isReadable = false
            slots[id].sawEnd = true
            return .endOfStream(id)
        case .wouldBlock:
            giveBack(buffer, had: had, id)
            slots[id].isReadable = false
            return nil
        case .failed(let error):
            giveBack(buffer, had: had, id)
            slots[id].isReadable = false
            slots[id].isBroken = true
            return .failed(id, IOFailure(error))
        }
    }

    private mutating func giveBack(_ buffer: consuming Buffer, had: Int, _ id: SocketID) {
        if had > 0 {
            slots[id].partial = consume buffer
        } else {
            buffers.give(buffer)
        }
    }

    /// The same bytes in a buffer with room for at least as many again.
    private mutating func enlarge(_ buffer: consuming Buffer) -> Buffer {
        var larger = buffers.take(atLeast: buffer.count &* 2 &+ BufferPool.tailroom)
        larger.append(buffer.span)
        buffers.give(buffer)
        return larger
    }

    package mutating func unread(_ socket: SocketID, _ buffer: consuming Buffer) {
        guard slots.contains(socket), !buffer.isEmpty else {
            buffers.give(buffer)
            return
        }
        slots[socket].partial = consume buffer
    }

    package mutating func pause(_ socket: SocketID) {
        guard slots.contains(socket) else { return }
        slots[socket].isPaused = true
    }

    package mutating func resume(_ socket: SocketID) {
        guard slots.contains(socket), slots[socket].isPaused else { return }
        slots[socket].isPaused = false
        if slots[socket].isReadable { enqueue(socket) }
    }

    package mutating func isQuiet(_ socket: SocketID, peek: Bool) -> Bool {
        guard slots.contains(socket), !slots[socket].isBroken, !slots[socket].sawEnd, !slots[socket].isReadable else {
            return false
        }
        guard peek || slots[socket].lastTurn == turn else { return true }
        return Socket.isQuiet(slots[socket].descriptor.number)
    }

    // MARK: Accepting and connecting

    package mutating func listen(_ descriptor: Int32, listener: UInt32) {
        listeners.append(Listener(descriptor: descriptor, number: listener))
        register(listeners.count - 1)
    }

    package mutating func stopListening(_ listener: UInt32) {
        for index in listeners.indices where listeners[index].number == listener && !listeners[index].isStopped {
            epoll.remove(listeners[index].descriptor)
            listeners[index].isStopped = true
            listeners[index].pausedUntil = nil
        }
    }

    private mutating func register(_ index: Int) {
        if epoll.addListener(listeners[index].descriptor, data: Self.listenerBit | UInt64(index)) != nil {
            pauseListener(index)
        }
    }

    private mutating func accept(_ index: Int) -> IOEvent? {
        guard index < listeners.count, !listeners[index].isStopped, listeners[index].pausedUntil == nil else { return nil }
        while acceptsLeft > 0 {
            acceptsLeft &-= 1
            var peer = SocketAddress.unix(path: "")
            do throws(Errno) {
                let descriptor = try Socket.accept(listeners[index].descriptor, peer: &peer)
                listeners[index].pause = Self.firstAcceptPause
                guard let id = add(descriptor, peer: peer) else {
                    pauseListener(index)
                    return nil
                }
                return .accepted(id, listener: listeners[index].number, peer: peer)
            } catch .again {
                return nil
            } catch .tooManyFiles, .tooManyFilesInSystem, .noMemory, .noBuffers {
                pauseListener(index)
                return nil
            } catch {
                // The peer is gone already (ECONNABORTED and network errors, accept(2)): the next one.
                continue
            }
        }
        return nil
    }

    private mutating func pauseListener(_ index: Int) {
        epoll.remove(listeners[index].descriptor)
        listeners[index].pausedUntil = now.advanced(by: listeners[index].pause)
        listeners[index].pause = min(listeners[index].pause &* 2, Self.lastAcceptPause)
        acceptPauses &+= 1
    }

    private mutating func resumeListeners() {
        for index in listeners.indices {
            guard let until = listeners[index].pausedUntil, until <= now else { continue }
            listeners[index].pausedUntil = nil
            register(index)
        }
    }

    package mutating func adopt(_ descriptor: Int32) -> SocketID? {
        let owned = FileDescriptor(owning: descriptor)
        guard let peer = try? Socket.peerAddress(descriptor) else { return nil }
        return add(owned, peer: peer)
    }

    package mutating func release(_ socket: SocketID) -> Int32? {
        guard let slot = slots.remove(socket) else { return nil }
        epoll.remove(slot.descriptor.number)
        return slot.releaseDescriptor()
    }

    private mutating func add(_ descriptor: consuming FileDescriptor, peer: SocketAddress) -> SocketID? {
        let number = descriptor.number
        guard let id = slots.insert(SocketSlot(descriptor: descriptor, peer: peer)) else { return nil }
        if epoll.addConnection(number, data: id.rawValue) != nil {
            slots.remove(id)
            return nil
        }
        return id
    }

    package mutating func connect(to address: SocketAddress) throws(IOFailure) -> SocketID {
        var isPending = false
        let descriptor: FileDescriptor
        do throws(Errno) {
            descriptor = try Socket.connect(to: address, isPending: &isPending)
        } catch {
            throw IOFailure(error)
        }
        guard let id = add(descriptor, peer: address) else { throw .exhausted }
        if isPending { slots[id].isConnecting = true } else { connectedAtOnce.append(id.rawValue) }
        return id
    }

    // MARK: Sending

    package mutating func send(_ socket: SocketID, _ buffer: consuming Buffer, more: Bool) {
        guard slots.contains(socket), !slots[socket].isBroken, !buffer.isEmpty else {
            buffers.give(buffer)
            return
        }
        if more || slots[socket].isConnecting || slots[socket].firstOutput >= 0 {
            let wasWaiting = slots[socket].isBlocked
            append(socket, buffer, isBlocked: wasWaiting)
            if !more, !wasWaiting, !slots[socket].isConnecting { sendQueued(socket) }
            return
        }
        switch Socket.send(slots[socket].descriptor.number, buffer) {
        case .bytes(let count) where count == buffer.count:
            buffers.give(buffer)
        case .bytes(let count):
            buffer.dropFirst(count)
            append(socket, buffer, isBlocked: true)
        case .wouldBlock:
            append(socket, buffer, isBlocked: true)
        case .failed:
            buffers.give(buffer)
            markBroken(socket)
        }
    }

    package mutating func flush(_ socket: SocketID) {
        guard slots.contains(socket), !slots[socket].isBroken, !slots[socket].isBlocked, !slots[socket].isConnecting,
            slots[socket].firstOutput >= 0
        else { return }
        sendQueued(socket)
    }

    package func queuedBytes(_ socket: SocketID) -> Int {
        slots.contains(socket) ? slots[socket].queuedBytes : 0
    }

    private mutating func append(_ id: SocketID, _ buffer: consuming Buffer, isBlocked: Bool) {
        let count = buffer.count
        guard let node = outputs.insert(OutputNode(buffer: buffer)) else {
            markBroken(id)
            return
        }
        slots[id].isBlocked = isBlocked
        slots[id].queuedBytes &+= count
        let last = slots[id].lastOutput
        slots[id].lastOutput = Int32(truncatingIfNeeded: node.index)
        if last >= 0, let key = outputs.key(at: Int(last)) {
            outputs[key].next = Int32(truncatingIfNeeded: node.index)
        } else {
            slots[id].firstOutput = Int32(truncatingIfNeeded: node.index)
        }
    }

    /// Sends what the kernel takes of the queue, two buffers a call.
    private mutating func sendQueued(_ id: SocketID) {
        while let first = outputs.key(at: Int(slots[id].firstOutput)) {
            let result: Socket.SendResult
            if let second = outputs.key(at: Int(outputs[first].next)) {
                result = Socket.send(slots[id].descriptor.number, outputs[first].buffer, outputs[second].buffer)
            } else {
                result = Socket.send(slots[id].descriptor.number, outputs[first].buffer)
            }
            switch result {
            case .bytes(let count):
                dropSent(id, count)
            case .wouldBlock:
                slots[id].isBlocked = true
                return
            case .failed:
                dropOutputs(id)
                markBroken(id)
                return
            }
        }
        slots[id].isBlocked = false
        if slots[id].endsAfterOutput { Socket.shutdownWrite(slots[id].descriptor.number) }
    }

    /// Takes `count` sent bytes off the queue's front.
    private mutating func dropSent(_ id: SocketID, _ count: Int) {
        slots[id].queuedBytes &-= count
        var rest = count
        while rest > 0, let node = outputs.key(at: Int(slots[id].firstOutput)) {
            let size = outputs[node].buffer.count
            if rest < size {
                outputs[node].buffer.dropFirst(rest)
                return
            }
            rest &-= size
            popOutput(id, node)
        }
    }

    private mutating func popOutput(_ id: SocketID, _ key: SlabKey) {
        guard let node = outputs.remove(key) else { return }
        slots[id].firstOutput = node.next
        if node.next < 0 { slots[id].lastOutput = -1 }
        buffers.give(node.buffer)
    }

    private mutating func dropOutputs(_ id: SocketID) {
        while let node = outputs.key(at: Int(slots[id].firstOutput)) { popOutput(id, node) }
        slots[id].queuedBytes = 0
    }

    private mutating func markBroken(_ id: SocketID) {
        guard !slots[id].isBroken else { return }
        slots[id].isBroken = true
        broken.append(id.rawValue)
    }

    // MARK: Ending

    package mutating func shutdownWrite(_ socket: SocketID) {
        guard slots.contains(socket), !slots[socket].isBroken else { return }
        if slots[socket].firstOutput >= 0 {
            slots[socket].endsAfterOutput = true
        } else {
            Socket.shutdownWrite(slots[socket].descriptor.number)
        }
    }

    package mutating func close(_ socket: SocketID) {
        guard slots.contains(socket) else { return }
        dropOutputs(socket)
        if let partial = slots[socket].partial.take() { buffers.give(partial) }
        slots.remove(socket)
    }

    package mutating func abort(_ socket: SocketID) {
        guard slots.contains(socket) else { return }
        dropOutputs(socket)
        if let partial = slots[socket].partial.take() { buffers.give(partial) }
        slots.remove(socket)?.abort()
    }

    package mutating func relay(from source: SocketID, to destination: SocketID, count: Int) -> Bool { false }

    // MARK: Facts

    package mutating func setOwner(_ socket: SocketID, _ owner: UInt64) {
        if slots.contains(socket) { slots[socket].owner = owner }
    }

    package func owner(_ socket: SocketID) -> UInt64 {
        slots.contains(socket) ? slots[socket].owner : 0
    }

    package func peer(_ socket: SocketID) -> SocketAddress {
        slots.contains(socket) ? slots[socket].peer : .unix(path: "")
    }

    /// Connections that are open, of all kinds.
    package var openCount: Int { slots.count }
}

extension IOFailure {
    package init(_ error: Errno) {
        switch error {
        case .connectionRefused, .noEntry: self = .refused
        case .connectionReset, .brokenPipe, .connectionAborted: self = .reset
        case .timedOut: self = .timedOut
        case .hostUnreachable, .networkUnreachable, .addressNotAvailable: self = .unreachable
        case .noPermission: self = .noPermission
        case .tooManyFiles, .tooManyFilesInSystem, .noMemory, .noBuffers: self = .exhausted
        default: self = .other(error.number)
        }
    }
}
