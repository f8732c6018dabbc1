import Telemetry
import Synchronization
import Containers
import EventLoop
import HTTP
import HTTP1
import Net

/// New client connections: counted, placed on the worker with the most room, and ended again.
extension Worker where Driver: ~Copyable {
    mutating func onAccepted(_ socket: SocketID, listener: Int, peer: SocketAddress) {
        guard let source = listening.first(where: { $0.descriptor == Int32(truncatingIfNeeded: listener) }),
            let state = currentSnapshot?.listener(numbered: source.listener)
        else {
            driver.close(socket)
            return
        }
        let better = context.loads.better(than: context.index)
        if better != context.index, let descriptor = driver.release(socket) {
            context.inboxes[better].post(.connection(descriptor: descriptor, socket: source))
            return
        }
        admit(socket, listener: state, port: source.port, peer: peer)
    }

    /// Begins the session of a connection that stays on this worker.
    mutating func admit(_ socket: SocketID, listener: ListenerState, port localPort: UInt16, peer: SocketAddress) {
        guard listener.connections.open.load(ordering: .relaxed) < listener.connectionsLimit, phase != .stopped else {
            driver.close(socket)
            counters.refusedConnections &+= 1
            return
        }
        var client = IPAddress.v4(0)
        var port: UInt16 = 0
        if case .ip(let address, let number) = peer {
            client = address.canonical
            port = number
        }
        let trusted = currentSnapshot?.isTrusted(client, isUnix: isUnix(peer)) ?? false
        let sendsHeader = listener.proxyProtocol.map { blocks in blocks.contains { $0.contains(client) } } ?? false
        let session = DownstreamSession(
            socket: socket, listener: listener, phase: sendsHeader ? .proxyHeader : .waiting,
            client: client, port: port, localPort: localPort, isTrusted: trusted, now: driver.now)
        guard let key = downstreams.insert(session) else {
            driver.close(socket)
            counters.refusedConnections &+= 1
            return
        }
        driver.setOwner(socket, Owner.downstream(key))
        listener.connections.open.wrappingAdd(1, ordering: .relaxed)
        context.loads.raise(context.index)
        counters.acceptedConnections &+= 1
        setDownstreamTimer(key, after: sendsHeader ? listener.headTimeout : listener.keepAliveTimeout)
    }

    private func isUnix(_ peer: SocketAddress) -> Bool {
        if case .unix = peer { return true }
        return false
    }

    /// Ends a client connection and everything on it. `abort` shows the client that something is missing.
    mutating func closeDownstream(_ key: SlabKey, abort: Bool = false) {
        guard var session = downstreams.remove(key) else { return }
        timers.remove(Owner.downstreamTimer(key))
        if let pending = session.pending.take() { driver.buffers.give(pending) }
        if abort { driver.abort(session.socket) } else { driver.close(session.socket) }
        session.listener.connections.open.wrappingSubtract(1, ordering: .relaxed)
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
