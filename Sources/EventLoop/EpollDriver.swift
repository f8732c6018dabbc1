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
    static let wakeKey = UInt64.max
    static let listenerBit = UInt64(1) << 63
    /// Accepts of one listener in one turn.
    static let acceptsPerTurn = 64
    /// First pause of accepting after EMFILE and the like; doubles up to the last.
    static let firstAcceptPause: Int64 = 100_000_000
    static let lastAcceptPause: Int64 = 1_000_000_000

    struct Listener {
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

    var epoll: Epoll
    let wake: Wakeup
    var slots: Slab<SocketSlot>
    var outputs: Slab<OutputNode>
    var listeners: [Listener] = []
    /// Connections that may be read now.
    var ready = RingQueue<UInt64>(capacity: 256)
    /// How many of `ready` belong to this turn.
    var readyThisTurn = 0
    var broken = RingQueue<UInt64>()
    /// Connections whose connect finished at once.
    var connectedAtOnce = RingQueue<UInt64>()
    var eventIndex = 0
    var acceptsLeft = 0
    var turn: UInt32 = 0
    /// Times that accepting was paused since the start. For logs.
    package internal(set) var acceptPauses = 0

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
    mutating func noteReadiness() {
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

    mutating func onReadiness(_ id: SocketID, _ readiness: Epoll.Readiness) -> IOEvent? {
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

    mutating func markReadable(_ id: SocketID, isEnding: Bool) {
        slots[id].isReadable = true
        if isEnding { slots[id].isEnding = true }
        enqueue(id)
    }

    mutating func enqueue(_ id: SocketID) {
        guard !slots[id].isQueued, !slots[id].isPaused, !slots[id].sawEnd, !slots[id].isBroken else { return }
        slots[id].isQueued = true
        ready.append(id.rawValue)
    }

    // MARK: Receiving

    mutating func receive(_ id: SocketID) -> IOEvent? {
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

    mutating func giveBack(_ buffer: consuming Buffer, had: Int, _ id: SocketID) {
        if had > 0 {
            slots[id].partial = consume buffer
        } else {
            buffers.give(buffer)
        }
    }

    /// The same bytes in a buffer with room for at least as many again.
    mutating func enlarge(_ buffer: consuming Buffer) -> Buffer {
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
