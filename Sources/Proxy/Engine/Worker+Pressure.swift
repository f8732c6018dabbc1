import Containers
import EventLoop
import HTTP
import Middleware
import Net
import Synchronization
import Telemetry

/// What happens when connections or memory run short: idle connections make room for new ones, and who holds much gets
/// nothing new. What runs goes on.
extension Worker where Driver: ~Copyable {
    /// Bytes that a request holds as long as an asynchronous middleware decides on it: its context is not the worker's then.
    static var parkedRequestBytes: Int { RequestContext.pathLimit + 2 * RequestContext.scratchLimit + 16_384 }

    // MARK: Memory

    /// Tells the others what this worker holds, and takes over how short memory is.
    @inline(__always)
    mutating func balanceMemory() {
        var held = driver.buffers.allocatedBytes &+ parkedBytes
        if case .stopped = phase { held = 0 }
        if held != publishedBytes || context.budget.levelNumber != memoryLevel.rawValue { adjustMemory(held) }
    }

    @inline(never)
    private mutating func adjustMemory(_ held: Int) {
        context.budget.add(held &- publishedBytes)
        publishedBytes = held
        memoryLevel = context.budget.level
        // The next turn may bring hundreds of receives before we are here again.
        driver.buffers.bulkLimit = held &+ context.budget.roomForBulk / context.inboxes.count
    }

    /// Whether a new request of this connection's client is refused: its client holds more than the level allows.
    mutating func sheds(_ key: SlabKey) -> Bool {
        if memoryLevel == .over { return true }
        if shares.isStale(now: driver.now) { measureShares() }
        let fair = shares.fairShare(of: context.budget.memoryLimit / context.inboxes.count)
        let held = shares.held(by: downstreams[key].client)
        return held > (memoryLevel == .full ? fair / 8 : fair / 2)
    }

    /// An estimate by what is known without asking every layer.
    private mutating func measureShares() {
        shares.begin(now: driver.now)
        for index in downstreams.indices {
            guard let key = downstreams.key(at: index) else { continue }
            let session = downstreams[key].exchange
            let socket = downstreams[key].socket
            var bytes = driver.queuedBytes(socket) &+ driver.heldBytes(socket) &+ downstreams[key].pendingBytes
            switch downstreams[key].phase {
            case .waiting, .lingering, .proxyHeader, .handshake, .multiplexed: break
            case .head: bytes &+= max(BufferPool.headBytes, downstreams[key].lookedAt)
            case .exchange, .tunnel: break
            }
            // One that is decided upon holds nothing yet.
            if exchanges.contains(session), exchanges[session].phase != .deciding {
                // The head as received, and as it was sent.
                bytes &+= 2 &* BufferPool.capacity(for: exchanges[session].headBytes)
                if exchanges[session].suspended != nil { bytes &+= Self.parkedRequestBytes }
                let upstream = exchanges[session].session
                if sessions.contains(upstream) {
                    let socket = sessions[upstream].socket
                    bytes &+= driver.queuedBytes(socket) &+ driver.heldBytes(socket)
                }
            }
            if bytes > 0 { shares.add(bytes, of: downstreams[key].client) }
        }
    }

    /// Answers 503 in place of a decision; the connection ends, and with it what it holds.
    mutating func shed(_ exchange: SlabKey, _ key: SlabKey) {
        downstreams[key].closes = true
        request.resetDecision()
        fillIdentity(exchange, key)
        reply(exchange, .memoryLimitReached)
    }

    // MARK: Connections

    /// Makes room for a connection that was just accepted, when nine tenths of what is allowed are open.
    mutating func makeRoom(for listener: ListenerState) {
        let open = listener.connections.open.load(ordering: .relaxed)
        if GatewayBudget.isPressed(open, limit: listener.connectionsLimit) {
            closeLongestIdle(of: listener)
        } else if GatewayBudget.isPressed(context.loads.total - 1, limit: context.budget.connectionsLimit) {
            closeLongestIdle(of: nil)
        }
    }

    /// Closes the connection of this worker that waits for a request the longest, if there is one.
    private mutating func closeLongestIdle(of listener: ListenerState?) {
        let youngest = driver.now.advanced(by: -IdleOrder.youngest)
        if closeNextIdle(of: listener) { return }
        guard driver.now >= idleOrder.searchesAt else { return }
        var found: [IdleOrder.Place] = []
        for index in downstreams.indices {
            guard let key = downstreams.key(at: index), downstreams[key].since <= youngest, isUnused(key)
            else { continue }
            found.append(IdleOrder.Place(key: key, since: downstreams[key].since))
        }
        idleOrder.fill(found, now: driver.now)
        _ = closeNextIdle(of: listener)
    }

    /// False: nobody of those that were found is still idle.
    private mutating func closeNextIdle(of listener: ListenerState?) -> Bool {
        while let place = idleOrder.next() {
            guard downstreams.contains(place.key), isUnused(place.key),
                downstreams[place.key].since == place.since, downstreams[place.key].pending == nil
            else { continue }
            let own = downstreams[place.key].listener
            if let listener, own.connections !== listener.connections { continue }
            // A request that is here already is not lost.
            guard driver.isQuiet(downstreams[place.key].socket, peek: true) else { continue }
            counters.shedConnections &+= 1
            refusals.note(.madeRoom, own, downstreams[place.key].client)
            closeDownstream(place.key)
            return true
        }
        return false
    }
}
