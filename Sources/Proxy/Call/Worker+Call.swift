import Config
import Containers
import EventLoop
import HTTP
import Telemetry
import Upstream

/// Calls of clients of our own: their way to a connection, their deadlines, their ends.
extension Worker where Driver: ~Copyable {
    mutating func beginCall(_ request: ClientCallRequest) {
        guard phase != .stopped else {
            request.handle.fail(ClientCallFailure.shutDown)
            return
        }
        // Given up before it began.
        if request.handle.isOver { return }
        guard let pool = callPool(request) else { return }
        let timeouts = request.timeouts ?? CallTimeouts(pools[pool].state.config.timeouts)
        let call = ClientCall(request, pool: pool, timeouts: timeouts, balanceKey: random.next())
        guard let key = calls.insert(call) else {
            request.handle.fail(ClientCallFailure.code(.overloaded))
            return
        }
        pools[pool].uses &+= 1
        request.handle.begin(key: key.rawValue)
        let total = request.total ?? timeouts.total
        if total != .max { calls[key].totalDeadline = driver.now.advanced(by: total) }
        connectCall(key)
    }

    private mutating func callPool(_ request: ClientCallRequest) -> SlabKey? {
        switch request.target {
        case .named(let name):
            if let key = livePool(named: name) { return key }
            request.handle.fail(ClientCallFailure.unknownUpstream(name))
            return nil
        case .origin(let state):
            for index in pools.indices {
                if let key = pools.key(at: index), pools[key].state === state { return key }
            }
            if let key = pools.insert(UpstreamPool(state, random: &random, worker: context.index, isOrigin: true)) {
                return key
            }
            request.handle.fail(ClientCallFailure.code(.overloaded))
            return nil
        }
    }

    /// The running call of a handle.
    func call(of handle: ClientCallHandle) -> SlabKey? {
        let key = SlabKey(rawValue: handle.key)
        return calls.contains(key) && calls[key].request.handle === handle ? key : nil
    }

    mutating func cancelCall(_ handle: ClientCallHandle) {
        if let key = call(of: handle) { endCall(key, aborts: true) }
    }

    // MARK: A connection

    mutating func connectCall(_ key: SlabKey) {
        let pool = calls[key].pool
        guard pools.contains(pool) else {
            failCall(key, .internalError)
            return
        }
        let state = pools[pool].state
        let peek = !calls[key].request.isReplayable
        while true {
            guard
                let index = pools[pool].balancer.pick(
                    state, now: driver.now, random: &random, key: calls[key].balanceKey, tried: calls[key].tried)
            else {
                let last = calls[key].code
                failCall(key, last != .none ? last : state.hasResolvedEndpoint ? .noEndpoint : .dnsError)
                return
            }
            if pools[pool].multiplexes {
                switch chooseStream(pool, index, isWebSocket: false) {
                case .stream(let session):
                    attachCall(key, session, isReused: true)
                    return
                case .wait:
                    enqueueCall(key, pool)
                    return
                case .none: break
                }
            }
            if calls[key].retries == 0, let session = takeIdle(pool, index, peek: peek) {
                attachCall(key, session, isReused: true)
                return
            }
            guard state.acquireConnection(endpoint: index, orWakeLater: context.index) else {
                // An idle connection to another endpoint holds a permit that this request has more use for.
                if closeOldestIdle(pool) { continue }
                enqueueCall(key, pool)
                return
            }
            calls[key].attempts &+= 1
            switch openSession(pool, index) {
            case .session(let session):
                sessions[session].call = key
                calls[key].session = session
                calls[key].endpoint = index
                calls[key].phase = .connecting
                leaveQueue(call: key)
                calls[key].inFlight.begin(at: sessions[session].endpoint)
                setCallDeadline(key, after: calls[key].timeouts.connect)
                return
            case .refused(let code):
                calls[key].tried.insert(index)
                calls[key].code = code
            }
        }
    }

    private mutating func enqueueCall(_ key: SlabKey, _ pool: SlabKey) {
        calls[key].phase = .queued
        if calls[key].isQueued {
            // It was tried in its turn and there was no permit: it keeps its place and its deadline.
            pools[pool].waiting.prepend(.call(key))
            askIdleHolder(pools[pool].state)
            return
        }
        guard enterQueue(pool, .call(key)) else {
            failCall(key, .connectionLimitReached)
            return
        }
        calls[key].isQueued = true
        setCallDeadline(key, after: calls[key].timeouts.queue)
    }

    /// Ends the wait of a call, however it ends.
    mutating func leaveQueue(call key: SlabKey) {
        guard calls[key].isQueued else { return }
        calls[key].isQueued = false
        let pool = calls[key].pool
        if pools.contains(pool) { pools[pool].state.leaveQueue() }
    }

    /// A connection that never stood: another endpoint is tried, with any method, because nothing was sent.
    mutating func onCallConnectFailure(_ key: SlabKey, endpoint index: Int, _ code: ErrorCode) {
        calls[key].inFlight.end()
        calls[key].session = .none
        calls[key].code = code
        calls[key].tried.insert(index)
        connectCall(key)
    }

    /// The connection died before a byte of an answer. Sent once more only where that is safe, as `retryOrFail` has it.
    mutating func retryOrFailCall(_ key: SlabKey, _ code: ErrorCode) {
        let state = pools[calls[key].pool].state
        endCallRetry(key)
        let isStale = calls[key].isReused && calls[key].retries == 0
        let mayRetry =
            calls[key].request.isReplayable && !calls[key].hasFirstByte
            && (isStale ? state.allowsRetries : state.beginRetry(attempts: calls[key].retries))
        guard mayRetry else {
            failCall(key, code)
            return
        }
        calls[key].isRetrying = !isStale
        calls[key].retries &+= 1
        counters.retries &+= 1
        if !calls[key].isReused { calls[key].tried.insert(calls[key].endpoint) }
        calls[key].inFlight.end()
        let session = calls[key].session
        calls[key].session = .none
        calls[key].code = code
        sessions[session].call = .none
        closeSession(session)
        connectCall(key)
    }

    mutating func endCallRetry(_ key: SlabKey) {
        guard calls[key].isRetrying, pools.contains(calls[key].pool) else { return }
        calls[key].isRetrying = false
        pools[calls[key].pool].state.endRetry()
    }

    // MARK: Deadlines

    mutating func setCallDeadline(_ key: SlabKey, after nanoseconds: Int64) {
        calls[key].phaseDeadline = nanoseconds == .max ? .never : driver.now.advanced(by: nanoseconds)
        callTimers.set(Int(key.index), to: min(calls[key].phaseDeadline, calls[key].totalDeadline))
    }

    mutating func expireCalls() {
        while let place = callTimers.popExpired(now: driver.now) {
            if let key = calls.key(at: place) { onCallDeadline(key) }
        }
    }

    private mutating func onCallDeadline(_ key: SlabKey) {
        if calls[key].totalDeadline <= driver.now {
            failCall(key, .totalTimeout)
            return
        }
        guard calls[key].phaseDeadline <= driver.now else {
            callTimers.set(Int(key.index), to: min(calls[key].phaseDeadline, calls[key].totalDeadline))
            return
        }
        let session = calls[key].session
        switch calls[key].phase {
        case .queued:
            failCall(key, .queueTimeout)
        case .connecting:
            if sessions.contains(session) { onConnectFailure(session, .connectionTimeout) }
        case .sending:
            let queued = driver.queuedBytes(sessions[session].socket)
            if queued == 0 {
                doubtConnection(of: session)
                failCall(key, .responseTimeout)
            } else if queued < calls[key].queuedBytes {
                armCallWriting(key)
            } else {
                doubtConnection(of: session)
                failCall(key, .writeTimeout)
            }
        case .receiving:
            failCall(key, .responseBodyTimeout)
        }
    }

    // MARK: Ends

    mutating func failCall(_ key: SlabKey, _ code: ErrorCode) {
        let handle = calls[key].request.handle
        endCall(key, aborts: true)
        handle.fail(ClientCallFailure.code(code))
    }

    /// Frees what the call holds. Its connection goes back to the pool if both messages are complete, and is broken off if not.
    mutating func endCall(_ key: SlabKey, aborts: Bool) {
        leaveQueue(call: key)
        endCallRetry(key)
        calls[key].inFlight.end()
        callTimers.remove(Int(key.index))
        let session = calls[key].session
        let keeps = !aborts && calls[key].keepsSession && calls[key].isRequestComplete
        guard let ended = calls.remove(key) else { return }
        let pool = ended.pool
        if sessions.contains(session) {
            resumeSession(session)
            sessions[session].call = .none
            if keeps, driver.queuedBytes(sessions[session].socket) == 0 {
                becomeIdle(session)
            } else {
                closeSession(session, abort: aborts)
            }
        }
        guard pools.contains(pool) else { return }
        pools[pool].uses &-= 1
        if pools[pool].uses == 0, !pools[pool].isOrigin { retirePool(pool) }
    }

    /// The worker ends: nobody is left waiting.
    mutating func stopCalls() {
        for index in calls.indices {
            guard let key = calls.key(at: index) else { continue }
            let handle = calls[key].request.handle
            endCall(key, aborts: true)
            handle.fail(ClientCallFailure.shutDown)
        }
    }
}
