public import Containers
public import Linux
import Net

/// The default driver: epoll, edge-triggered, every connection registered once.
///
///     wait ─▶ epoll events ─┬─ listener ─▶ accepted …          (level-triggered, shared by the workers)
///                           ├─ writable ─▶ flush ─▶ drained
///                           └─ readable ─▶ ready queue ─▶ receive ─▶ data / endOfStream / failed
///
/// A receive that fills less than its buffer has drained the socket, so that a request costs one receive and
/// not a second one for EAGAIN. A socket that fills its buffer goes to the end of the queue, so that a fast peer
/// never starves the others. What fails inside a call is reported by a later `next`.
@usableFromInline
package struct EpollDriver: IODriver, ~Copyable {
    /// Data of an event that is no connection's: a listener's index, or this. No key of a connection has generation 0.
    static let wakeKey = UInt64(UInt32.max)
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

    @usableFromInline package internal(set) var now: Instant
    @usableFromInline package var buffers = BufferPool()

    @usableFromInline var wallClock: WallClock
    @usableFromInline var epoll: Epoll
    let wake: Wakeup
    @usableFromInline var slots: Slab<SocketSlot>
    var outputs: Slab<OutputNode>
    var pipes: RelayPipes
    var tls: Slab<SocketTLS>
    /// Buffers that go to the kernel when the turn's events are handled, one a connection.
    @usableFromInline var batch = FixedArray<BatchedSend>(capacity: EpollDriver.batchCapacity)
    var listeners: [Listener] = []
    /// Listeners that are not registered for a while.
    var pausedListeners = 0
    /// Connections that may be read now.
    @usableFromInline var ready = RingQueue<UInt64>(capacity: 256)
    /// How many of `ready` belong to this turn.
    @usableFromInline var readyThisTurn = 0
    @usableFromInline var broken = RingQueue<UInt64>()
    /// Connections whose connect finished at once.
    @usableFromInline var connectedAtOnce = RingQueue<UInt64>()
    /// Events of the last wait from here on are still to be handled. Behind the last one in nearly every turn: what only makes
    /// connections readable, the wait itself has noted.
    @usableFromInline var eventIndex = 0
    var acceptsLeft = 0
    @usableFromInline var turn: UInt32 = 0
    @usableFromInline package internal(set) var acceptPauses = 0

    /// A driver for at most `connections` sockets, woken by `wake`.
    ///
    /// - Parameter pipes: how many may hold bytes of relays at once; nil: as many as there should be beside the connections.
    package static func make(connections: Int, wake: Wakeup, pipes: Int? = nil) throws(Errno) -> EpollDriver {
        let epoll = try Epoll()
        if let error = epoll.addReader(wake.number, data: Self.wakeKey) { throw error }
        return EpollDriver(
            epoll: epoll, connections: connections, wake: wake,
            pipes: pipes ?? min(RelayPipes.most, connections / 16))
    }

    init(epoll: consuming Epoll, connections: Int, wake: Wakeup, pipes: Int) {
        self.epoll = epoll
        self.wake = wake
        slots = Slab(limit: connections)
        outputs = Slab(limit: connections &* 4)
        self.pipes = RelayPipes(limit: pipes)
        tls = Slab(limit: connections)
        now = Clock.monotonic
        wallClock = WallClock(now: now)
    }

    // MARK: Waiting

    @usableFromInline
    package mutating func wait(until deadline: Instant) {
        sendBatch()
        epoll.wait(nanoseconds: timeout(deadline))
        now = Clock.monotonic
        wallClock.keepUp(with: now)
        acceptsLeft = Self.acceptsPerTurn
        turn &+= 1
        noteReadiness()
        readyThisTurn = ready.count
        if pausedListeners > 0 { resumeListeners() }
    }

    /// Nanoseconds that a wait may last; negative: for ever.
    @inline(__always)
    private mutating func timeout(_ deadline: Instant) -> Int64 {
        if ready.count | broken.count | connectedAtOnce.count != 0 { return 0 }
        let earliest = pausedListeners > 0 ? min(deadline, firstResumption) : deadline
        return earliest == .never ? -1 : max(0, earliest.since(now))
    }

    /// Marks every connection that this wait found readable, before the first event is handled: `isQuiet` then knows all
    /// that the wait saw, whatever the order of the events. Most events are dealt with by that.
    @inline(__always)
    private mutating func noteReadiness() {
        let count = epoll.count
        eventIndex = count
        var index = 0
        while index < count {
            let (data, readiness) = epoll.event(index)
            let id = SocketID(rawValue: data)
            // SAFETY: the entry is not removed before the pointer's last use.
            if let slot = unsafe slots.pointer(id) {
                let note = unsafe slot.pointee.note(readiness)
                if note.isNewlyReady { ready.append(data) }
                if note.isOdd { eventIndex = min(eventIndex, index) }
            } else {
                eventIndex = min(eventIndex, index)
            }
            index &+= 1
        }
    }

    @inlinable
    package mutating func next() -> IOEvent? {
        isTurnOver ? nil : nextPresent()
    }

    /// Nothing is left to handle, or to look at.
    @inlinable
    var isTurnOver: Bool {
        readyThisTurn <= 0 && eventIndex >= epoll.count && broken.count | connectedAtOnce.count == 0
    }

    @usableFromInline
    @inline(never)
    mutating func nextPresent() -> IOEvent? {
        if eventIndex < epoll.count || broken.count | connectedAtOnce.count != 0, let event = nextOdd() { return event }
        while readyThisTurn > 0, let raw = ready.popFirst() {
            readyThisTurn &-= 1
            if let event = receive(SocketID(rawValue: raw)) { return event }
        }
        return nil
    }

    /// The next event that is not about bytes to read.
    @inline(never)
    private mutating func nextOdd() -> IOEvent? {
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
            let id = SocketID(rawValue: data)
            if id.generation == 0, data != Self.wakeKey {
                if let event = accept(Int(id.index)) { return event }
                eventIndex &+= 1
                continue
            }
            eventIndex &+= 1
            if data == Self.wakeKey {
                wake.clear()
                return .woken
            }
            guard slots.contains(id) else { continue }
            if let event = onReadiness(id, readiness) { return event }
        }
        return nil
    }

    private mutating func onReadiness(_ id: SocketID, _ readiness: Epoll.Readiness) -> IOEvent? {
        if slots[id].flags.contains(.connecting) {
            if let error = Socket.pendingError(slots[id].descriptor.number) {
                slots[id].flags.remove(.connecting)
                slots[id].flags.insert(.broken)
                return .failed(id, IOFailure(error))
            }
            guard readiness.isWritable else { return nil }
            slots[id].flags.remove(.connecting)
            if readiness.isReadable || readiness.isEnding {
                if slots[id].markReadable(isEnding: readiness.isEnding) { ready.append(id.rawValue) }
                readyThisTurn = ready.count
            }
            return .connected(id)
        }
        if readiness.isBroken, slots[id].flags.contains(.paused), slots[id].flags.insert(.broken).inserted {
            return .failed(id, .reset)
        }
        if readiness.isWritable, slots[id].queuedBytes > 0 {
            sendQueued(id)
            if slots[id].queuedBytes == 0, !slots[id].flags.contains(.broken) { return .drained(id) }
        }
        return nil
    }
}
