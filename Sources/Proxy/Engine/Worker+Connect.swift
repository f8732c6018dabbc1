import Config
import Containers
import EventLoop
import HTTP
import HTTP1
import Net
import Telemetry
import Upstream

/// An exchange's way to an upstream connection: an idle one, a new one, or a place in the queue.
extension Worker where Driver: ~Copyable {
    mutating func connectExchange(_ exchange: SlabKey) {
        let pool = exchanges[exchange].pool
        guard pools.contains(pool) else {
            failExchange(exchange, .internalError)
            return
        }
        while true {
            let state = pools[pool].state
            guard
                let index = pools[pool].balancer.pick(
                    state, now: driver.now, random: &random, key: exchanges[exchange].balanceKey,
                    tried: exchanges[exchange].tried)
            else {
                failExchange(exchange, lastConnectCode(exchange, state))
                return
            }
            if pools[pool].multiplexes {
                switch chooseStream(pool, index, isWebSocket: exchanges[exchange].isWebSocket) {
                case .stream(let session):
                    attach(exchange, session, isReused: true)
                    return
                case .wait:
                    enqueue(exchange, pool)
                    return
                case .none: break
                }
            }
            // What is sent once more goes to a connection of its own: those that idle may have ended as the first one did.
            if exchanges[exchange].retries == 0,
                let session = takeIdle(pool, index, peek: !exchanges[exchange].method.isIdempotent)
            {
                attach(exchange, session, isReused: true)
                return
            }
            guard state.acquireConnection(endpoint: index, orWakeLater: context.index) else {
                // An idle connection to another endpoint holds a permit that this request has more use for.
                if closeOldestIdle(pool) { continue }
                enqueue(exchange, pool)
                return
            }
            if open(exchange, pool, index) { return }
        }
    }

    /// Why there is no endpoint left: what the last attempt met, or that there was nothing to attempt.
    private mutating func lastConnectCode(_ exchange: SlabKey, _ state: UpstreamState) -> ErrorCode {
        if exchanges[exchange].attempts > 0, exchanges[exchange].code != .none { return exchanges[exchange].code }
        return state.hasResolvedEndpoint ? .noEndpoint : .dnsError
    }

    // MARK: New connections

    /// Begins a connection for an exchange. False: it failed at once and the endpoint counts as tried.
    private mutating func open(_ exchange: SlabKey, _ pool: SlabKey, _ index: Int) -> Bool {
        exchanges[exchange].attempts &+= 1
        switch openSession(pool, index) {
        case .session(let key):
            sessions[key].exchange = exchange
            exchanges[exchange].session = key
            exchanges[exchange].endpoint = index
            exchanges[exchange].phase = .connecting
            leaveQueue(exchange)
            exchanges[exchange].connectingAt = driver.now
            exchanges[exchange].inFlight.begin(at: sessions[key].endpoint)
            setUpstreamTimer(key, after: exchanges[exchange].route?.connectTimeout ?? 3_000_000_000)
            armExchangeTimer(exchange)
            return true
        case .refused(let code):
            exchanges[exchange].tried.insert(index)
            exchanges[exchange].code = code
            return false
        }
    }

    /// Begins a connection, whose permit is taken already, without an owner.
    mutating func openSession(_ pool: SlabKey, _ index: Int) -> SessionOpening {
        let state = pools[pool].state
        let endpoint = state.endpoints[index]
        guard let address = pools[pool].cursors[index].next(endpoint) else {
            return refuseOpen(state, index, .dnsError)
        }
        do throws(IOFailure) {
            let socket = try driver.connect(to: address)
            counters.upstreamConnections &+= 1
            let session = UpstreamSession(
                socket: socket, endpoint: endpoint, endpointIndex: index, upstream: state, pool: pool,
                idleLimit: pools[pool].idleTimeout, now: driver.now)
            guard let key = sessions.insert(session) else {
                driver.close(socket)
                return refuseOpen(state, index, .overloaded)
            }
            driver.setOwner(socket, Owner.upstream(key))
            pools[pool].sessions &+= 1
            if pools[pool].multiplexes { pools[pool].opening[index] = key }
            return .session(key)
        } catch {
            if error == .exhausted { return refuseOpen(state, index, .overloaded) }
            endpoint.noteConnectFailure(now: driver.now)
            return refuseOpen(state, index, .connectionRefused)
        }
    }

    private mutating func refuseOpen(_ state: UpstreamState, _ index: Int, _ code: ErrorCode) -> SessionOpening {
        state.releaseConnection(endpoint: index)
        wakeWaiter(state)
        return .refused(code)
    }

    mutating func onConnected(_ key: SlabKey) {
        if sessions[key].isSecure {
            secureSession(key)
        } else if pools[sessions[key].pool].multiplexes, !agree(key, on: nil) {
            onConnectFailure(key, .overloaded)
        } else {
            onEstablished(key)
        }
    }

    /// A connection stands, and so does its TLS if it has one: it can be used.
    mutating func onEstablished(_ key: SlabKey) {
        sessions[key].endpoint.noteSuccess()
        timers.remove(Owner.upstreamTimer(key))
        if sessions[key].multiplexer != .none {
            serveNewConnection(key)
            return
        }
        let exchange = sessions[key].exchange
        guard exchanges.contains(exchange) else {
            let call = sessions[key].call
            if calls.contains(call) { attachCall(call, key, isReused: false) } else { becomeIdle(key) }
            return
        }
        exchanges[exchange].connectedAt = driver.now
        attach(exchange, key, isReused: false)
    }

    /// A connection that never stood: another endpoint is tried, with any method, because nothing was sent.
    mutating func onConnectFailure(_ key: SlabKey, _ code: ErrorCode) {
        sessions[key].endpoint.noteConnectFailure(now: driver.now)
        let exchange = sessions[key].exchange
        let call = sessions[key].call
        let index = sessions[key].endpointIndex
        closeSession(key)
        guard exchanges.contains(exchange) else {
            if calls.contains(call) { onCallConnectFailure(call, endpoint: index, code) }
            return
        }
        exchanges[exchange].inFlight.end()
        exchanges[exchange].session = .none
        exchanges[exchange].code = code
        exchanges[exchange].tried.insert(index)
        connectExchange(exchange)
    }

    // MARK: Idle sessions

    /// The most recently used idle session of an endpoint that may be used again.
    ///
    /// - Parameter peek: look closely, because the request must not be sent twice.
    mutating func takeIdle(_ pool: SlabKey, _ index: Int, peek: Bool) -> SlabKey? {
        while true {
            let key = pools[pool].newestIdle[index]
            guard sessions.contains(key) else { return nil }
            unlinkIdle(key)
            if driver.isQuiet(sessions[key].socket, peek: peek) { return key }
            closeSession(key)
        }
    }

    /// A session without an exchange goes to the pool, or to the exchange that waits longest.
    mutating func becomeIdle(_ key: SlabKey) {
        if sessions[key].isStream {
            closeSession(key)
            return
        }
        let pool = sessions[key].pool
        if sessions[key].end() { keepResumption(key) }
        if serveWaiting(with: key) { return }
        let age = driver.now.since(sessions[key].connectedAt)
        let index = sessions[key].endpointIndex
        guard phase.isRunning, index >= 0, pools[pool].mayKeep(age: age) else {
            closeSession(key)
            return
        }
        let newest = pools[pool].pushIdle(key, endpoint: index)
        if sessions.contains(newest) { sessions[newest].newer = key }
        sessions[key].becomeIdle(before: newest, now: driver.now)
        setUpstreamTimer(key, after: sessions[key].idleLimit)
        // A worker that began to wait before the note stood asked nobody.
        if noteIdle(pool), pools[pool].state.hasWaiters { closeSession(key) }
    }

    /// Closes the idle session of a pool that was left alone for longest. False: there is none.
    mutating func closeOldestIdle(_ pool: SlabKey) -> Bool {
        var oldest = SlabKey.none
        for index in 0..<pools[pool].newestIdle.count {
            var key = pools[pool].newestIdle[index]
            guard sessions.contains(key) else { continue }
            while sessions.contains(sessions[key].older) { key = sessions[key].older }
            if !sessions.contains(oldest) || sessions[key].idleSince < sessions[oldest].idleSince { oldest = key }
        }
        guard sessions.contains(oldest) else { return closeUnused(pool) }
        closeSession(oldest)
        return true
    }

    /// Lets other workers know that this one may hold idle sessions of an upstream. The note stays when the last of them goes: a
    /// worker that is asked in vain passes the question on, which is rare, and a pool's last session comes and goes with every
    /// request. False: the note stood.
    mutating func noteIdle(_ pool: SlabKey) -> Bool {
        guard !pools[pool].isNoted else { return false }
        pools[pool].isNoted = true
        pools[pool].state.noteIdle(context.index)
        return true
    }

    /// Another worker took the note and wants the permit of an idle session.
    mutating func giveUpIdle(_ pool: SlabKey) {
        pools[pool].isNoted = false
        // Others may have begun to wait while the note was taken.
        repeat {
            guard closeOldestIdle(pool) else { break }
            if pools[pool].idleCount > 0 { _ = noteIdle(pool) }
        } while pools[pool].idleCount > 0 && pools[pool].state.hasWaiters
        if pools[pool].idleCount == 0, pools[pool].state.hasWaiters { askIdleHolder(pools[pool].state) }
    }

    mutating func unlinkIdle(_ key: SlabKey) {
        guard let place = sessions[key].leaveIdle() else { return }
        if sessions.contains(place.older) { sessions[place.older].newer = place.newer }
        let isNewest = !sessions.contains(place.newer)
        if !isNewest { sessions[place.newer].older = place.older }
        pools[place.pool].removeIdle(place, isNewest: isNewest)
    }

    /// Closes an upstream connection and gives its permit back.
    mutating func closeSession(_ key: SlabKey, abort: Bool = false) {
        guard sessions.contains(key) else { return }
        if sessions[key].isStream {
            closeStreamSession(key)
            return
        }
        unlinkIdle(key)
        timers.remove(Owner.upstreamTimer(key))
        if sessions[key].multiplexer != .none { leaveMultiplexed(key) }
        guard sessions.contains(key) else { return }
        if sessions[key].isSecure, !abort { keepResumption(key) }
        guard let session = sessions.remove(key) else { return }
        if abort { driver.abort(session.socket) } else { driver.close(session.socket) }
        pools[session.pool].sessions &-= 1
        session.upstream.releaseConnection(of: session.endpoint)
        wakeWaiter(session.upstream)
    }

    // MARK: Waiting for a permit

    mutating func enqueue(_ exchange: SlabKey, _ pool: SlabKey) {
        exchanges[exchange].phase = .queued
        if exchanges[exchange].isQueued {
            // It was tried in its turn and there was no permit: it keeps its place and its deadline.
            pools[pool].waiting.prepend(.exchange(exchange))
            askIdleHolder(pools[pool].state)
            return
        }
        guard enterQueue(pool, .exchange(exchange)) else {
            failExchange(exchange, .connectionLimitReached)
            return
        }
        exchanges[exchange].queuedAt = driver.now
        exchanges[exchange].isQueued = true
        armExchangeTimer(exchange)
    }

    /// Takes a place in the queue and asks another worker for an idle session's permit. False: too many wait.
    mutating func enterQueue(_ pool: SlabKey, _ waiter: PoolWaiter) -> Bool {
        let state = pools[pool].state
        guard state.enterQueue() else { return false }
        _ = firstWaiting(pool)
        pools[pool].waiting.append(waiter)
        askIdleHolder(state)
        return true
    }

    /// Asks another worker that holds idle sessions for the permit of one. This worker is noted as waiting already: one that comes to
    /// hold an idle session later sees that.
    mutating func askIdleHolder(_ state: UpstreamState) {
        while let holder = state.takeIdleHolder(except: context.index) {
            if context.inboxes[holder].post(.giveUpIdle(upstream: state.name)) { return }
        }
    }

    private mutating func isWaiting(_ waiter: PoolWaiter) -> Bool {
        switch waiter {
        case .exchange(let key): exchanges.contains(key) && exchanges[key].phase == .queued
        case .call(let key): calls.contains(key) && calls[key].phase == .queued
        }
    }

    /// The one that waits longest. Those before it that do not wait any more are forgotten, so that a queue which nobody
    /// serves does not grow with those who gave up.
    mutating func firstWaiting(_ pool: SlabKey) -> PoolWaiter? {
        while let waiter = pools[pool].waiting.first {
            if isWaiting(waiter) { return waiter }
            _ = pools[pool].waiting.popFirst()
        }
        return nil
    }

    /// Ends the wait of an exchange, however it ends.
    mutating func leaveQueue(_ exchange: SlabKey) {
        guard exchanges[exchange].isQueued else { return }
        exchanges[exchange].isQueued = false
        let pool = exchanges[exchange].pool
        if pools.contains(pool) { pools[pool].state.leaveQueue() }
    }

    /// Gives a free session to the one that waits longest. False: nobody waits.
    private mutating func serveWaiting(with key: SlabKey) -> Bool {
        let pool = sessions[key].pool
        guard !pools[pool].waiting.isEmpty, let waiter = firstWaiting(pool), !yieldsTurn(pool) else { return false }
        _ = pools[pool].waiting.popFirst()
        let isReused = sessions[key].requests > 0
        switch waiter {
        case .exchange(let exchange): attach(exchange, key, isReused: isReused)
        case .call(let call): attachCall(call, key, isReused: isReused)
        }
        return true
    }

    /// Whether a session's permit goes to another worker although somebody waits here: else a worker whose queue never runs empty
    /// would keep its permits for ever, and those who wait elsewhere would meet their timeouts.
    private mutating func yieldsTurn(_ pool: SlabKey) -> Bool {
        guard pools[pool].state.hasWaiters(besides: context.index) else {
            pools[pool].turnsInARow = 0
            return false
        }
        pools[pool].turnsInARow &+= 1
        guard pools[pool].turnsInARow > UpstreamPool.turnsLimit else { return false }
        pools[pool].turnsInARow = 0
        // Whoever waits here is served when it is this worker's turn again.
        pools[pool].state.addWaiter(context.index)
        return true
    }

    /// Permits of an upstream may be free: those that wait try again in their turn, until one has to go on waiting. That one
    /// notes this worker for the next permit, so whoever waits behind it is served then. After a reload some may wait in the
    /// pool of the configuration before.
    mutating func serveWaiting(named name: String) {
        var served: UpstreamState?
        for index in pools.indices {
            guard let pool = pools.key(at: index), pools[pool].state.name == name else { continue }
            served = pools[pool].state
            while let waiter = firstWaiting(pool) {
                _ = pools[pool].waiting.popFirst()
                switch waiter {
                case .exchange(let exchange): connectExchange(exchange)
                case .call(let call): connectCall(call)
                }
                if isWaiting(waiter) { return }
                guard pools.contains(pool) else { break }
            }
        }
        // Nobody waits here (any more): this worker's note was left over, and the permit is another's.
        if let served { wakeWaiter(served) }
    }

    /// Tells a worker that waits for a permit of this upstream that one is free. The note of one that has ended may still stand.
    mutating func wakeWaiter(_ state: UpstreamState) {
        while let worker = state.takeWaiter() {
            if context.inboxes[worker].post(.permitFreed(upstream: state.name)) { return }
        }
    }
}

/// What became of an attempt to open a connection.
enum SessionOpening {
    case session(SlabKey)
    /// It failed at once; the permit is given back.
    case refused(ErrorCode)
}
