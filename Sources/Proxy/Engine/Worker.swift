import Middleware
package import Telemetry
package import Containers
package import EventLoop
import HTTP
import HTTP1
import Net
import Upstream

/// One thread's part of the gateway: a driver, the connections on it, their exchanges, pools and timers.
///
/// A connection lives and dies on one worker, and a worker runs on one thread; what it shares with the others is the immutable
/// `Snapshot`, the atomics inside `UpstreamState`, and inboxes.
///
/// A turn: wait, then handle every event in the order it came, then the deadlines that passed, then what the turn left to do.
/// Nothing is handled from inside something else: a connection that could go on at once is put on `runnable`.
package struct Worker<Driver: IODriver & ~Copyable>: ~Copyable {
    package var driver: StreamDriver<Driver>
    let context: WorkerContext
    var downstreams: Slab<DownstreamSession>
    var sessions: Slab<UpstreamSession>
    var exchanges: Slab<Exchange>
    var calls: Slab<ClientCall>
    /// Of exchanges that need them.
    var chunks: Slab<ChunkedContent>
    var chainSlots: Slab<ChainSlots>
    var tunnels: Slab<Tunnel>
    var snapshots = Slab<SnapshotUse>(limit: 4_096)
    /// The use of the snapshot that new requests run under.
    var current = SlabKey.none
    var pools = Slab<UpstreamPool>(limit: 65_536)
    /// Owners: 2 × place of a downstream session, 2 × place of an upstream session + 1.
    var timers: TimerWheel
    /// Owners: places of calls.
    var callTimers: TimerWheel
    var request = RequestContext()
    var response = ResponseContext()
    var random: RandomSource
    /// Downstream sessions that have something to do without an event.
    var runnable = RingQueue<SlabKey>(capacity: 64)
    var hostMemo = HostMemo()
    /// What the current request says about the way it came.
    var forwarding = ForwardingWriter(isTrusted: false)
    var date = DateText()
    var lanes: LogLanes
    package var phase = WorkerPhase.running
    var nextHousekeeping: Instant {
        didSet { nextRound = min(nextRound, nextHousekeeping) }
    }
    /// When a turn has more to do than events and deadlines: see `goRound`.
    private var nextRound: Instant
    /// While draining: when idle connections are closed.
    var drainIdleAt = Instant.never
    /// Connections accepted at the last look at the backlog.
    var drainAccepted: Int64 = 0
    /// To be told when this worker has stopped listening.
    var drainClosing: ClosingDescriptors?
    var listening: [ListeningSocket] = []
    var refusals = ConnectionRefusals()
    /// As of the end of the last turn.
    var memoryLevel = GatewayBudget.Level.free
    /// What the budget knows of the bytes that this worker holds.
    var publishedBytes = 0
    /// In contexts of suspended requests.
    var parkedBytes = 0
    var shares = ClientShares()
    var idleOrder = IdleOrder()
    /// Of the driver, as far as they are reported.
    var reportedPauses = 0
    package internal(set) var counters = WorkerCounters()

    package init(driver: consuming Driver, context: WorkerContext, snapshot: Snapshot, seed: UInt64) {
        let now = driver.now
        // Each stream of a connection is a session with an exchange of its own.
        let sessionsLimit = min(context.connectionsLimit &* Self.sessionsPerConnection, Int(Int32.max) / 2)
        self.driver = StreamDriver(
            driver, connectionsLimit: context.connectionsLimit &* 2, streamsLimit: sessionsLimit)
        lanes = LogLanes(context.log)
        self.context = context
        downstreams = Slab(limit: sessionsLimit)
        sessions = Slab(limit: sessionsLimit)
        exchanges = Slab(limit: sessionsLimit)
        calls = Slab(limit: context.connectionsLimit)
        chunks = Slab(limit: sessionsLimit * 2)
        chainSlots = Slab(limit: sessionsLimit)
        tunnels = Slab(limit: sessionsLimit)
        timers = TimerWheel(now: now)
        callTimers = TimerWheel(now: now)
        random = RandomSource(seed: seed)
        nextHousekeeping = now.advanced(by: Housekeeping.interval)
        nextRound = nextHousekeeping
        adopt(snapshot)
    }

    /// Streams and connections together, for each connection that is allowed.
    private static var sessionsPerConnection: Int { 4 }

    /// One wait and everything that came of it.
    package mutating func turn() {
        var deadline = min(timers.next, min(nextRound, lanes.deadline))
        if calls.count > 0 { deadline = min(deadline, callTimers.next) }
        driver.wait(until: deadline)
        while let event = driver.next() {
            handle(event)
            runRunnable()
        }
        while let owner = timers.popExpired(now: driver.now) {
            onDeadline(owner)
            runRunnable()
        }
        if calls.count > 0 {
            expireCalls()
            runRunnable()
        }
        if driver.now >= nextRound { goRound() }
        if driver.hasStreamOutput { endTurnOfStreams() }
        balanceMemory()
        lanes.endTurn(now: driver.now)
    }

    mutating func handle(_ event: consuming IOEvent) {
        switch consume event {
        case .accepted(let socket, let listener, let peer):
            onAccepted(socket, listener: Int(listener), peer: peer)
        case .connected(let socket):
            if let key = sessionKey(socket) { onConnected(key) }
        case .data(let socket, let buffer):
            onData(driver.base.owner(socket), socket, buffer)
        case .relayed(let socket, let count, let isFollowed):
            onRelayed(socket, count, isFollowed: isFollowed)
        case .secured(let socket):
            if let key = sessionKey(socket) {
                onUpstreamSecured(key)
            } else if let key = downstreamKey(socket) {
                onSecured(key)
            }
        case .endOfStream(let socket):
            if let key = sessionKey(socket) {
                onUpstreamEnd(key)
            } else if let key = downstreamKey(socket) {
                onDownstreamEnd(key)
            }
        case .failed(let socket, let failure):
            if let key = sessionKey(socket) {
                onUpstreamFailure(key, failure)
            } else if let key = downstreamKey(socket) {
                onDownstreamFailure(key, failure)
            }
        case .drained(let socket):
            if let key = sessionKey(socket) {
                onUpstreamDrained(key)
            } else if let key = downstreamKey(socket) {
                onDownstreamDrained(key)
            }
        case .woken:
            onWoken()
        }
    }

    @inline(__always)
    private mutating func onData(_ owner: UInt64, _ socket: SocketID, _ buffer: consuming Buffer) {
        if Owner.isTunnel(owner) {
            onTunnelData(owner, socket, buffer)
        } else if Owner.isUpstream(owner) {
            onUpstreamData(owner, buffer)
        } else {
            onDownstreamData(owner, buffer)
        }
    }

    /// What sockets bring, of a stream.
    mutating func handle(ofStream event: consuming IOEvent) {
        switch consume event {
        case .data(let socket, let buffer): onData(driver.owner(socket), socket, buffer)
        case let other: handle(other)
        }
    }

    /// What events have made possible. Nearly always nothing: the look alone is part of each turn.
    @inline(__always)
    private mutating func runRunnable() {
        if !runnable.isEmpty || driver.hasStreamEvents { goOn() }
    }

    @inline(never)
    private mutating func goOn() {
        repeat {
            while let key = runnable.popFirst() {
                guard downstreams.contains(key) else { continue }
                downstreams[key].isRunnable = false
                continueDownstream(key)
            }
            if driver.hasStreamEvents { runStreams() }
            // An answer of a stream may let a client of HTTP/1.1 go on with its next request.
        } while !runnable.isEmpty
    }

    /// Connections that had their share of the turn before are read on; and once a second there is housekeeping.
    @inline(never)
    private mutating func goRound() {
        driver.endRest()
        if driver.now >= nextHousekeeping { keepHouse() }
        nextRound = nextHousekeeping
        runRunnable()
    }

    /// Who has more to say than its share is heard again in the next turn, for which nobody waits then.
    @inline(never)
    private mutating func endTurnOfStreams() {
        driver.flushStreams()
        if driver.hasResting { nextRound = driver.now }
    }

    @inline(never)
    private mutating func runStreams() {
        while let event = driver.nextStreamEvent() { handle(event) }
    }

    // MARK: Owners of sockets

    mutating func sessionKey(_ socket: SocketID) -> SlabKey? {
        let owner = driver.owner(socket)
        if Owner.isUpstream(owner) { return sessions.key(at: Owner.place(owner)) }
        guard Owner.isTunnelUpstream(owner), let key = tunnels.key(at: Owner.place(owner)) else { return nil }
        return tunnels[key].upstream.session
    }

    mutating func downstreamKey(_ socket: SocketID) -> SlabKey? {
        let owner = driver.owner(socket)
        if Owner.isDownstream(owner) { return downstreams.key(at: Owner.place(owner)) }
        guard Owner.isTunnelClient(owner), let key = tunnels.key(at: Owner.place(owner)) else { return nil }
        return tunnels[key].client.session
    }

    /// Asks for a visit without an event: pipelined bytes wait, or an answer ended inside another step.
    mutating func makeRunnable(_ key: SlabKey) {
        guard !downstreams[key].isRunnable else { return }
        downstreams[key].isRunnable = true
        runnable.append(key)
    }

}

/// How far a worker is on its way out.
package enum WorkerPhase: Sendable, Equatable {
    case running
    /// Accepts nothing new; ends at the latest at the instant.
    case draining(until: Instant)
    case stopped

    var isRunning: Bool {
        if case .running = self { true } else { false }
    }
}

/// The number that a socket carries: what it belongs to (a session, or a tunnel and on which side of it) and the place in the slab.
enum Owner {
    private static let downstream: UInt64 = 1 << 32
    private static let upstream: UInt64 = 2 << 32
    private static let tunnelClient: UInt64 = 4 << 32
    private static let tunnelUpstream: UInt64 = 8 << 32

    static func downstream(_ key: SlabKey) -> UInt64 { downstream | UInt64(key.index) }
    static func upstream(_ key: SlabKey) -> UInt64 { upstream | UInt64(key.index) }
    static func tunnelClient(_ key: SlabKey) -> UInt64 { tunnelClient | UInt64(key.index) }
    static func tunnelUpstream(_ key: SlabKey) -> UInt64 { tunnelUpstream | UInt64(key.index) }
    static func isDownstream(_ owner: UInt64) -> Bool { owner & downstream != 0 }
    static func isUpstream(_ owner: UInt64) -> Bool { owner & upstream != 0 }
    static func isTunnel(_ owner: UInt64) -> Bool { owner & (tunnelClient | tunnelUpstream) != 0 }
    static func isTunnelClient(_ owner: UInt64) -> Bool { owner & tunnelClient != 0 }
    static func isTunnelUpstream(_ owner: UInt64) -> Bool { owner & tunnelUpstream != 0 }
    static func place(_ owner: UInt64) -> Int { Int(owner & 0xFFFF_FFFF) }

    /// The timer wheel's number.
    static func downstreamTimer(_ key: SlabKey) -> Int { Int(key.index) &* 2 }
    static func upstreamTimer(_ key: SlabKey) -> Int { Int(key.index) &* 2 &+ 1 }
}
