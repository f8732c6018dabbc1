import Telemetry
import Synchronization
import Containers
import EventLoop
import HTTP
import HTTP1
import Net

/// New client connections: counted, placed on the worker with the most room, and ended again.
extension Worker where Driver: ~Copyable {
    /// While memory is full, accepting pauses after so many connections.
    private static var acceptsBetweenPauses: Int64 { 16 }

    mutating func onAccepted(_ socket: SocketID, listener: Int, peer: SocketAddress) {
        guard let source = listening.first(where: { $0.descriptor == Int32(truncatingIfNeeded: listener) }),
            let state = currentSnapshot?.listener(numbered: source.listener)
        else {
            driver.close(socket)
            return
        }
        let better = context.loads.better(than: context.index)
        if better != context.index, let descriptor = driver.release(socket) {
            handOver(descriptor, source, to: better)
            return
        }
        context.loads.raise(context.index)
        if !admit(socket, listener: state, port: source.port, peer: peer) { context.loads.lower(context.index) }
    }

    private mutating func handOver(_ descriptor: Int32, _ source: ListeningSocket, to worker: Int) {
        // Counted at once: more connections may be accepted before the other worker hears of this one.
        context.loads.raise(worker)
        if context.inboxes[worker].post(.connection(descriptor: descriptor, socket: source)) { return }
        // It has ended, which happens while the gateway drains, and is counted high from now on: nobody asks it again.
        context.loads.close(worker)
        context.loads.raise(context.index)
        adoptConnection(descriptor, source)
    }

    /// Begins the session of a connection that stays on this worker and was counted for it. False: it was closed.
    mutating func admit(_ socket: SocketID, listener: ListenerState, port localPort: UInt16, peer: SocketAddress)
        -> Bool
    {
        // Of the peer of a Unix socket no address is known.
        var client = IPAddress.v4(0)
        var port: UInt16 = 0
        var trusted = false
        switch peer {
        case .ip(let address, let number):
            client = address.canonical
            port = number
            trusted = currentSnapshot?.isTrusted(client) ?? false
        case .unix:
            trusted = currentSnapshot?.trustsUnixPeers ?? false
        }
        if memoryLevel >= .full, counters.acceptedConnections % Self.acceptsBetweenPauses == 0 {
            driver.slowAccepting()
        }
        makeRoom(for: listener)
        guard phase != .stopped, listener.connections.open.load(ordering: .relaxed) < listener.connectionsLimit else {
            refuse(socket, .listenerLimit, listener, client)
            return false
        }
        // This one is counted already.
        guard context.loads.total <= context.budget.connectionsLimit else {
            refuse(socket, .gatewayLimit, listener, client)
            return false
        }
        let sendsHeader = listener.proxyProtocol.map { blocks in blocks.contains { $0.contains(client) } } ?? false
        var session = DownstreamSession(
            socket: socket, listener: listener, phase: sendsHeader ? .proxyHeader : .waiting,
            client: client, port: port, localPort: localPort, isTrusted: trusted, now: driver.now)
        session.expiresAt = expiry(of: listener)
        // Behind a PROXY header the client is counted when the header has named it; without an address it is nobody, and a
        // trusted peer speaks for many.
        let isCounted = !sendsHeader && !client.isUnspecified && !trusted
        guard !isCounted || listener.connections.admit(client, limit: listener.connectionsPerClient) else {
            refuse(socket, .clientLimit, listener, client)
            return false
        }
        guard let key = downstreams.insert(session) else {
            if isCounted { listener.connections.dismiss(client, limit: listener.connectionsPerClient) }
            refuse(socket, .listenerLimit, listener, client)
            return false
        }
        downstreams[key].isCountedForClient = isCounted
        driver.setOwner(socket, Owner.downstream(key))
        listener.connections.open.wrappingAdd(1, ordering: .relaxed)
        counters.acceptedConnections &+= 1
        if sendsHeader { setDownstreamTimer(key, after: listener.headTimeout) } else { beginSession(key) }
        return true
    }

    /// A tenth more or less, so that connections that began together do not end together.
    private mutating func expiry(of listener: ListenerState) -> Instant {
        guard listener.connectionAge != .max else { return .never }
        let tenth = listener.connectionAge / 10
        let spread = Int64(random.below(Int(clamping: tenth &* 2 &+ 1)))
        return driver.now.advanced(by: listener.connectionAge &- tenth &+ spread)
    }

    mutating func refuse(
        _ socket: SocketID, _ reason: ConnectionRefusal.Reason, _ listener: ListenerState, _ client: IPAddress
    ) {
        driver.close(socket)
        counters.refusedConnections &+= 1
        counters.refusals[reason.rawValue] &+= 1
        refusals.note(reason, listener, client)
    }

    /// Ends a client connection and everything on it. `abort` shows the client that something is missing.
    mutating func closeDownstream(_ key: SlabKey, abort: Bool = false) {
        guard var session = downstreams.remove(key) else { return }
        timers.remove(Owner.downstreamTimer(key))
        if let pending = session.pending.take() { driver.buffers.give(pending) }
        if session.multiplexer != .none { endStreams(session.multiplexer) }
        if abort { driver.abort(session.socket) } else { driver.close(session.socket) }
        if session.isStream {
            if exchanges.contains(session.exchange) { abandonExchange(session.exchange) }
            onStreamClosed(session.connection)
            return
        }
        session.listener.connections.open.wrappingSubtract(1, ordering: .relaxed)
        if session.isCountedForClient {
            session.listener.connections.dismiss(session.client, limit: session.listener.connectionsPerClient)
        }
        context.loads.lower(context.index)
        let exchange = session.exchange
        if exchanges.contains(exchange) { abandonExchange(exchange) }
    }

    mutating func setDownstreamTimer(_ key: SlabKey, after nanoseconds: Int64) {
        timers.set(Owner.downstreamTimer(key), to: nanoseconds == .max ? .never : driver.now.advanced(by: nanoseconds))
    }

    mutating func setUpstreamTimer(_ key: SlabKey, after nanoseconds: Int64) {
        timers.set(Owner.upstreamTimer(key), to: nanoseconds == .max ? .never : driver.now.advanced(by: nanoseconds))
    }
}
