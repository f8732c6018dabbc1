import Telemetry
import Containers
import EventLoop
import HTTP
import Middleware
import Upstream
import WebSocket

/// Messages from other threads, and the worker's way out.
extension Worker where Driver: ~Copyable {
    /// Idle connections are closed so long after draining began, unless they were busy: clients in the middle of a series of
    /// requests get their `Connection: close` first.
    private static var drainGrace: Int64 { 500_000_000 }
    /// Between two looks at how far draining is.
    private static var drainStep: Int64 { 20_000_000 }

    mutating func onWoken() {
        context.executor.runJobs()
        for message in context.inbox.takeAll() { receive(message) }
    }

    private mutating func receive(_ message: InboxMessage) {
        switch message {
        case .adopt(let snapshot):
            adopt(snapshot)
        case .listen(let socket):
            listening.append(socket)
            driver.listen(socket.descriptor, listener: UInt32(truncatingIfNeeded: socket.descriptor))
        case .stopListening(let closing):
            for number in closing.numbers {
                listening.removeAll { $0.descriptor == number }
                driver.stopListening(UInt32(truncatingIfNeeded: number))
            }
            closing.letGo()
        case .decision(let id, let decision):
            resume(SlabKey(rawValue: id.key), decision)
        case .permitFreed(let upstream):
            serveWaiting(named: upstream)
        case .giveUpIdle(let upstream):
            giveUpIdle(upstream)
        case .connection(let descriptor, let socket):
            adoptConnection(descriptor, socket)
        case .call(let request):
            beginCall(request)
        case .callContent(let handle, let piece):
            receiveCallContent(handle, piece)
        case .callContentEnd(let handle):
            endCallContent(handle)
        case .callDemand(let handle):
            continueCall(handle)
        case .cancelCall(let handle):
            cancelCall(handle)
        case .told(let adoption):
            adoption.note()
        case .report(let collection):
            collection.add(report())
        case .drain(let timeout, let closing):
            drainClosing = closing
            drain(timeout: timeout)
        case .stop:
            stop()
        }
    }

    /// Begins the session of a connection that was counted for this worker already.
    mutating func adoptConnection(_ descriptor: Int32, _ source: ListeningSocket) {
        guard let socket = driver.adopt(descriptor) else {
            context.loads.lower(context.index)
            return
        }
        guard let listener = currentSnapshot?.listener(numbered: source.listener) else {
            driver.close(socket)
            context.loads.lower(context.index)
            return
        }
        if !admit(socket, listener: listener, port: source.port, peer: driver.peer(socket)) {
            context.loads.lower(context.index)
        }
    }

    /// Closes the idle session that was used last but longest ago, so that another worker gets its permit.
    private mutating func giveUpIdle(_ upstream: String) {
        guard let pool = livePool(named: upstream) else { return }
        giveUpIdle(pool)
    }

    // MARK: The way out

    private mutating func drain(timeout: Int64) {
        guard phase == .running else { return }
        let until = driver.now.advanced(by: timeout)
        phase = .draining(until: until)
        drainIdleAt = driver.now.advanced(by: min(Self.drainGrace, timeout))
        for index in exchanges.indices {
            guard let key = exchanges.key(at: index), exchanges[key].phase == .tunnel else { continue }
            drainTunnel(key, within: timeout)
        }
        for index in downstreams.indices {
            guard let key = downstreams.key(at: index) else { continue }
            if case .multiplexed = downstreams[key].phase {
                drainConnection(key)
                continue
            }
            // An answer whose head is out said already whether it is the last.
            let exchange = downstreams[key].exchange
            if exchanges.contains(exchange), exchanges[exchange].isResponseStarted { continue }
            downstreams[key].closes = true
        }
        closePools()
        drainAccepted = counters.acceptedConnections
        nextHousekeeping = driver.now.advanced(by: min(Self.drainStep, timeout))
    }

    private mutating func closePools() {
        for index in sessions.indices {
            guard let key = sessions.key(at: index) else { continue }
            switch sessions[key].phase {
            case .idle: closeSession(key)
            case .multiplexed: closeWhenUnused(upstream: key)
            case .connecting, .busy: continue
            }
        }
    }

    /// Called while draining: closes idle connections after their grace, and everything at the deadline.
    mutating func continueDraining() {
        guard case .draining(let until) = phase else { return }
        nextHousekeeping = min(until, driver.now.advanced(by: Self.drainStep))
        endAccepting()
        if driver.now >= drainIdleAt { closeIdle() }
        let isDone = downstreams.count == 0 && listening.isEmpty
        // A connection may be on its way here from a worker that has not heard of the end.
        if driver.now >= until || isDone && context.inbox.closeIfEmpty() { stop() }
    }

    /// Stops listening once the backlog is empty: nothing was accepted since the last step.
    private mutating func endAccepting() {
        guard !listening.isEmpty else { return }
        guard drainAccepted == counters.acceptedConnections else {
            drainAccepted = counters.acceptedConnections
            return
        }
        for socket in listening { driver.stopListening(UInt32(truncatingIfNeeded: socket.descriptor)) }
        listening = []
        drainClosing?.letGo()
        drainClosing = nil
    }

    /// Closes connections between two requests; those that are new, or have just got an answer that did not say it was the last,
    /// get a moment more.
    private mutating func closeIdle() {
        for index in downstreams.indices {
            guard let key = downstreams.key(at: index), downstreams[key].phase == .waiting else { continue }
            if driver.now.since(downstreams[key].since) >= Self.drainGrace { closeDownstream(key) }
        }
    }

    /// Whether a client would take a plain end of the connection for the end of its answer (RFC 9112 section 8).
    private mutating func endsWithConnection(_ key: SlabKey) -> Bool {
        let exchange = downstreams[key].exchange
        return exchanges.contains(exchange) && exchanges[exchange].isReceiving
            && exchanges[exchange].downstreamFraming == .untilClose
    }

    mutating func stop() {
        stopCalls()
        for index in downstreams.indices {
            guard let key = downstreams.key(at: index) else { continue }
            closeDownstream(key, abort: endsWithConnection(key))
        }
        for index in sessions.indices {
            guard let key = sessions.key(at: index) else { continue }
            closeSession(key)
        }
        lanes.flush()
        phase = .stopped
    }
}
