import Config
import Containers
import EventLoop
import HTTP
import HTTP1
import HTTP2
import TLS
import Upstream

/// Connections to endpoints that speak HTTP/2, and the exchanges on their streams.
///
/// A permit is for a connection. Whoever comes while one is being made waits for it rather than making another.
extension Worker where Driver: ~Copyable {
    /// A connection stands, and this is what it agreed on. False: not on what the configuration wants, or there is no room.
    mutating func agree(_ key: SlabKey, on agreed: TLSApplicationProtocol?) -> Bool {
        let pool = sessions[key].pool
        let index = sessions[key].endpointIndex
        if index >= 0 { pools[pool].opening[index] = .none }
        switch sessions[key].upstream.config.protocolVersion {
        case .http1:
            return true
        case .http2Cleartext:
            return sessions[key].isSecure || multiplex(key)
        case .http2:
            return agreed == .http2 && multiplex(key)
        case .auto:
            if agreed == .http2 { return multiplex(key) }
            if index >= 0 { pools[pool].choseHTTP1.insert(index) }
            // Those who waited for streams need connections of their own.
            _ = context.inbox.post(.permitFreed(upstream: pools[pool].state.name))
            return true
        }
    }

    private mutating func multiplex(_ key: SlabKey) -> Bool {
        let limits = sessions[key].upstream.config.limits
        var settings = LocalSettings()
        settings.streamWindow = 262_144
        settings.connectionWindow = 1 << 22
        let fieldLimits = FieldLimits(
            fields: limits.fields, bytes: limits.head, fieldBytes: limits.head, targetBytes: limits.head,
            trailerFields: limits.trailerFields, trailerBytes: limits.trailers)
        settings.fieldBytes = fieldLimits.bytes
        // What is too large is to fail its own request, not all of the connection.
        var floodLimits = FloodLimits(HTTP2Limits())
        floodLimits.headerBlockBytes = 4 * FieldLimits.mostBytes
        floodLimits.continuations = 4 * floodLimits.continuations
        let made = driver.multiplex(
            sessions[key].socket, owner: key, isServer: false, settings: settings, limits: floodLimits,
            fieldLimits: fieldLimits)
        guard let multiplexer = made else { return false }
        sessions[key].multiplexer = multiplexer
        sessions[key].phase = .multiplexed
        return true
    }

    /// A connection in HTTP/2 stands: the exchange for which it was made, and those that wait, go on on its streams.
    mutating func serveNewConnection(_ key: SlabKey) {
        let pool = sessions[key].pool
        let index = sessions[key].endpointIndex
        let exchange = sessions[key].exchange
        let call = sessions[key].call
        sessions[key].exchange = .none
        sessions[key].call = .none
        if index >= 0 {
            let newest = pools[pool].newestMultiplexed[index]
            sessions[key].older = newest
            if sessions.contains(newest) { sessions[newest].newer = key }
            pools[pool].newestMultiplexed[index] = key
        }
        if sessions[key].isSecure { keepResumption(key) }
        if exchanges.contains(exchange) {
            exchanges[exchange].connectedAt = driver.now
            if exchanges[exchange].isWebSocket {
                // Whether the server takes it shows with its settings.
                exchanges[exchange].session = .none
                // To be told should the connection end before.
                pools[pool].state.addWaiter(context.index)
                enqueue(exchange, pool)
            } else if let stream = openStream(on: key) {
                attach(exchange, stream, isReused: false)
            } else {
                failExchange(exchange, .overloaded)
            }
        } else if calls.contains(call) {
            if let stream = openStream(on: key) {
                attachCall(call, stream, isReused: false)
            } else {
                failCall(call, .overloaded)
            }
        }
        if sessions.contains(key) { serveStreams(key) }
    }

    /// A stream to an endpoint on a connection that stands, or the wait for one that is being made. This worker is noted as waiting
    /// then, should the connection fail.
    mutating func chooseStream(_ pool: SlabKey, _ index: Int, isWebSocket: Bool) -> StreamChoice {
        var key = pools[pool].newestMultiplexed[index]
        var waits = false
        while sessions.contains(key) {
            let isKnown = driver.hasPeerSettings(sessions[key].multiplexer)
            if isKnown || !isWebSocket, let stream = openStream(on: key) { return .stream(stream) }
            // What it takes shows soon.
            if !isKnown && !sessions[key].isClosing { waits = true }
            key = sessions[key].older
        }
        let opening = pools[pool].opening[index]
        let isOpening =
            sessions.contains(opening) && sessions[opening].phase == .connecting
            && !pools[pool].choseHTTP1.contains(index)
        guard waits || isOpening else { return .none }
        pools[pool].state.addWaiter(context.index)
        return .wait
    }

    private mutating func openStream(on key: SlabKey) -> SlabKey? {
        guard !sessions[key].isClosing, let socket = driver.openStream(sessions[key].multiplexer) else { return nil }
        let session = UpstreamSession(stream: socket, of: sessions[key], key, now: driver.now)
        guard let stream = sessions.insert(session) else {
            driver.close(socket)
            return nil
        }
        driver.setOwner(socket, Owner.upstream(stream))
        timers.remove(Owner.upstreamTimer(key))
        sessions[key].requests &+= 1
        pools[sessions[key].pool].sessions &+= 1
        if driver.now.since(sessions[key].connectedAt) >= pools[sessions[key].pool].maxAge {
            closeWhenUnused(upstream: key)
        }
        return stream
    }

    /// Gives free streams to those that wait longest. One that fails at once ends its stream, which comes here again: that call
    /// leaves the rest to this one, or the depth of calls would be the number of those that wait.
    mutating func serveStreams(_ key: SlabKey) {
        guard !sessions[key].isServing else { return }
        sessions[key].isServing = true
        let pool = sessions[key].pool
        while sessions.contains(key), !pools[pool].waiting.isEmpty, let waiter = firstWaiting(pool),
            mayServe(waiter, on: key), let stream = openStream(on: key)
        {
            _ = pools[pool].waiting.popFirst()
            switch waiter {
            case .exchange(let exchange): attach(exchange, stream, isReused: true)
            case .call(let call): attachCall(call, stream, isReused: true)
            }
        }
        guard sessions.contains(key) else { return }
        sessions[key].isServing = false
        armUnused(key)
    }

    private mutating func mayServe(_ waiter: PoolWaiter, on key: SlabKey) -> Bool {
        guard case .exchange(let exchange) = waiter, exchanges[exchange].isWebSocket else { return true }
        return driver.hasPeerSettings(sessions[key].multiplexer)
    }

    /// A connection without streams is kept for a while.
    private mutating func armUnused(_ key: SlabKey) {
        guard driver.streamCount(of: sessions[key].multiplexer) == 0 else { return }
        let pool = sessions[key].pool
        if sessions[key].isClosing || !phase.isRunning {
            closeSession(key)
            return
        }
        // Whoever waits on this worker may do so for its settings.
        let isAwaited = !pools[pool].waiting.isEmpty
        if !isAwaited, pools[pool].state.hasWaiters(besides: context.index) {
            closeSession(key)
            return
        }
        setUpstreamTimer(key, after: sessions[key].idleLimit)
        if !isAwaited, noteIdle(pool), pools[pool].state.hasWaiters { closeSession(key) }
    }

    /// Closes a connection without streams: its permit is of more use elsewhere. False: there is none.
    mutating func closeUnused(_ pool: SlabKey) -> Bool {
        for index in 0..<pools[pool].newestMultiplexed.count {
            var key = pools[pool].newestMultiplexed[index]
            while sessions.contains(key) {
                if driver.streamCount(of: sessions[key].multiplexer) == 0 {
                    closeSession(key)
                    return true
                }
                key = sessions[key].older
            }
        }
        return false
    }

    // MARK: Answers

    mutating func onStreamResponse(_ stream: SocketID, isEnd: Bool) {
        guard let key = sessionKey(stream) else { return }
        let exchange = sessions[key].exchange
        if exchanges.contains(exchange), exchanges[exchange].isSending {
            receiveStreamedHead(exchange, key, isEnd: isEnd)
        } else if calls.contains(sessions[key].call) {
            receiveStreamedCallHead(sessions[key].call, key, isEnd: isEnd)
        } else {
            closeSession(key)
        }
    }

    mutating func onStreamInterim(_ stream: SocketID) {
        guard let key = sessionKey(stream) else { return }
        let exchange = sessions[key].exchange
        if exchanges.contains(exchange), exchanges[exchange].isSending { receiveStreamedInterim(exchange, key) }
    }

    mutating func onTooLarge(_ stream: SocketID, _ code: ErrorCode) {
        if let key = sessionKey(stream) {
            let exchange = sessions[key].exchange
            if exchanges.contains(exchange) {
                failExchange(exchange, .responseHeadersTooLarge)
            } else if calls.contains(sessions[key].call) {
                failCall(sessions[key].call, .responseHeadersTooLarge)
            }
        } else if let key = downstreamKey(stream), exchanges.contains(downstreams[key].exchange) {
            failExchange(downstreams[key].exchange, code)
        }
    }

    /// They are sent with the end, which comes next.
    mutating func onResponseTrailers(_ key: SlabKey) {
        let exchange = sessions[key].exchange
        guard exchanges.contains(exchange), exchanges[exchange].responseChunks == .none else { return }
        var content = ChunkedContent(limits: exchanges[exchange].route?.chunkLimits ?? ChunkLimits())
        driver.copyTrailers(to: &content)
        exchanges[exchange].responseChunks = chunks.insert(content) ?? .none
    }

    // MARK: Ends

    /// The session of a stream ends; the upstream is told if it is not done.
    mutating func closeStreamSession(_ key: SlabKey) {
        timers.remove(Owner.upstreamTimer(key))
        guard let session = sessions.remove(key) else { return }
        driver.close(session.socket)
        pools[session.pool].sessions &-= 1
        let connection = session.connection
        guard sessions.contains(connection), sessions[connection].multiplexer != .none else { return }
        serveStreams(connection)
    }

    /// A stream has waited in vain. When nothing at all has come of its connection since the stream began, the connection may be
    /// dead without a word: it gets no more streams, and what comes next tries another one. For answers that have begun this says
    /// nothing: their heads came of it.
    mutating func doubtConnection(of key: SlabKey) {
        guard sessions.contains(key) else { return }
        let (connection, since) = (sessions[key].connection, sessions[key].connectedAt)
        guard sessions.contains(connection), sessions[connection].idleSince <= since else { return }
        closeWhenUnused(upstream: connection)
    }

    /// A connection takes no more streams and ends with the last one.
    mutating func closeWhenUnused(upstream key: SlabKey) {
        sessions[key].isClosing = true
        armUnused(key)
    }

    /// No more streams on the connections of a pool.
    mutating func closeMultiplexed(_ pool: SlabKey) {
        for index in 0..<pools[pool].newestMultiplexed.count {
            var key = pools[pool].newestMultiplexed[index]
            while sessions.contains(key) {
                let older = sessions[key].older
                closeWhenUnused(upstream: key)
                key = older
            }
        }
    }

    /// A connection in HTTP/2 ends: out of its list, and what its streams still wait for does not come.
    mutating func leaveMultiplexed(_ key: SlabKey) {
        let multiplexer = sessions[key].multiplexer
        sessions[key].multiplexer = .none
        sessions[key].isClosing = true
        let (pool, index) = (sessions[key].pool, sessions[key].endpointIndex)
        let (newer, older) = (sessions[key].newer, sessions[key].older)
        if sessions.contains(older) { sessions[older].newer = newer }
        if sessions.contains(newer) {
            sessions[newer].older = older
        } else if index >= 0, pools[pool].newestMultiplexed[index] == key {
            pools[pool].newestMultiplexed[index] = older
        }
        driver.flushConnection(multiplexer)
        driver.markOver(multiplexer)
        while let stream = driver.anyStream(of: multiplexer) {
            if driver.detach(stream) { continue }
            guard let session = sessionKey(stream) else {
                driver.close(stream)
                continue
            }
            onUpstreamFailure(session, .reset)
            if sessions.contains(session) { closeSession(session) }
        }
        driver.endMultiplexing(multiplexer)
    }
}

/// Where a request for an endpoint with HTTP/2 goes.
enum StreamChoice {
    case stream(SlabKey)
    /// To one of the streams of a connection that is being made.
    case wait
    /// To a connection that has to be made.
    case none
}
