import Telemetry
import Containers
import EventLoop
import Middleware
import Upstream
import WebSocket

/// Messages from other threads, and the worker's way out.
extension Worker where Driver: ~Copyable {
    /// Idle connections are closed so long after draining began, unless they were busy: clients in the middle of a series of
    /// requests get their `Connection: close` first.
    private static var drainGrace: Int64 { 500_000_000 }

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
            listening.removeAll { $0.descriptor == closing.number }
            driver.stopListening(UInt32(truncatingIfNeeded: closing.number))
            closing.letGo()
        case .decision(let id, let decision):
            resume(SlabKey(rawValue: id.key), decision)
        case .permitFreed(let upstream):
            serveWaiting(named: upstream)
        case .giveUpIdle(let upstream):
            giveUpIdle(upstream)
        case .connection(let descriptor, let socket):
            adoptConnection(descriptor, socket)
        case .drain(let timeout):
            drain(timeout: timeout)
        case .stop:
            stop()
        }
    }

    private mutating func adoptConnection(_ descriptor: Int32, _ source: ListeningSocket) {
        guard let socket = driver.adopt(descriptor) else { return }
        guard let listener = currentSnapshot?.listener(numbered: source.listener) else {
            driver.close(socket)
            return
        }
        admit(socket, listener: listener, port: source.port, peer: driver.peer(socket))
    }

    /// Closes the idle session that was used last but longest ago, so that another worker gets its permit.
    private mutating func giveUpIdle(_ upstream: String) {
        guard let pool = livePool(named: upstream) else { return }
        _ = closeOldestIdle(pool)
        if pools[pool].idleCount > 0 { pools[pool].state.noteIdle(context.index, holds: true) }
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
            downstreams[key].closes = true
        }
        closePools()
        nextHousekeeping = min(nextHousekeeping, drainIdleAt)
    }

    private mutating func closePools() {
        for index in sessions.indices {
            guard let key = sessions.key(at: index), sessions[key].phase == .idle else { continue }
            closeSession(key)
        }
    }

    /// Called while draining: closes idle connections after their grace, and everything at the deadline.
    mutating func continueDraining() {
        guard case .draining(let until) = phase else { return }
        nextHousekeeping = min(until, driver.now.advanced(by: 100_000_000))
        if driver.now >= drainIdleAt {
            for index in downstreams.indices {
                guard let key = downstreams.key(at: index) else { continue }
                if downstreams[key].phase == .waiting { closeDownstream(key) }
            }
        }
        if driver.now >= until || downstreams.count == 0 { stop() }
    }

    mutating func stop() {
        for index in downstreams.indices {
            guard let key = downstreams.key(at: index) else { continue }
            closeDownstream(key)
        }
        for index in sessions.indices {
            guard let key = sessions.key(at: index) else { continue }
            closeSession(key)
        }
        lanes.flush()
        phase = .stopped
    }
}
