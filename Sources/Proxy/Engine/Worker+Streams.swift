import Containers
import EventLoop
import HTTP
import HTTP2
import Middleware
import Telemetry

/// Client connections that speak HTTP/2, and the requests on their streams.
extension Worker where Driver: ~Copyable {
    /// After a kind GOAWAY the streams on their way have so long to arrive; what comes later is not served.
    private static var goAwayGrace: Int64 { 1_000_000_000 }

    /// HTTP/2 is spoken from here on.
    mutating func beginMultiplexing(_ key: SlabKey) {
        let listener = downstreams[key].listener
        let made = driver.multiplex(
            downstreams[key].socket, owner: key, isServer: true, settings: listener.streamSettings,
            limits: listener.floodLimits, fieldLimits: listener.fieldLimits)
        guard let multiplexer = made else {
            closeDownstream(key)
            return
        }
        downstreams[key].phase = .multiplexed
        downstreams[key].multiplexer = multiplexer
        downstreams[key].since = driver.now
        setDownstreamTimer(key, after: listener.firstByteTimeout)
        if !phase.isRunning { announceEnd(key) }
    }

    mutating func handle(_ event: consuming StreamEvent) {
        switch consume event {
        case .socket(let event): handle(ofStream: event)
        case .request(let stream, let owner, let isEnd): onStreamRequest(stream, owner, isEnd: isEnd)
        case .refused(let stream, let owner, let code): onRefusedStream(stream, owner, code)
        case .trailers(let stream): onStreamTrailers(stream)
        case .response(let stream, let isEnd): onStreamResponse(stream, isEnd: isEnd)
        case .interim(let stream): onStreamInterim(stream)
        case .tooLarge(let stream, let code): onTooLarge(stream, code)
        case .over(let owner, isServer: true, isFlood: let isFlood):
            if downstreams.contains(owner) { onBroken(owner, isFlood: isFlood) }
        case .over(let owner, isServer: false, isFlood: _):
            if sessions.contains(owner) { closeSession(owner) }
        case .goingAway(let owner, isServer: true):
            if downstreams.contains(owner) { closeWhenUnused(owner) }
        case .goingAway(let owner, isServer: false):
            if sessions.contains(owner) { closeWhenUnused(upstream: owner) }
        case .roomier(let owner):
            if sessions.contains(owner) { serveStreams(owner) }
        }
    }

    // MARK: Requests

    private mutating func onStreamRequest(_ stream: SocketID, _ connection: SlabKey, isEnd: Bool) {
        guard let key = beginStream(stream, connection) else { return }
        guard let exchange = makeExchange(key) else {
            closeDownstream(key)
            return
        }
        // Room for the request id and an identity behind the head.
        let count = driver.sectionCount
        var bytes = driver.buffers.take(
            atLeast: count + 2 * RequestContext.requestIDLimit + RequestContext.identityLimit)
        driver.takeRequest(&request.head, &bytes)
        exchanges[exchange].isStreamed = true
        exchanges[exchange].isRequestComplete = isEnd
        exchanges[exchange].isCall = !isEnd && RequestSteps.isGRPC(request.head, bytes)
        run(exchange, key, bytes)
    }

    /// A valid request that must not be served.
    private mutating func onRefusedStream(_ stream: SocketID, _ connection: SlabKey, _ code: ErrorCode) {
        guard let key = beginStream(stream, connection) else { return }
        var bytes = driver.buffers.take(atLeast: driver.sectionCount + RequestContext.requestIDLimit)
        driver.takeRequest(&request.head, &bytes)
        refuse(key, bytes, count: bytes.count, LocalReply(code))
    }

    /// The session of a stream. Nil: there are too many.
    private mutating func beginStream(_ stream: SocketID, _ connection: SlabKey) -> SlabKey? {
        guard downstreams.contains(connection) else {
            driver.close(stream)
            return nil
        }
        let session = DownstreamSession(
            stream: stream, of: downstreams[connection], connection, now: driver.now)
        guard let key = downstreams.insert(session) else {
            driver.close(stream)
            return nil
        }
        driver.setOwner(stream, Owner.downstream(key))
        if driver.goAwayStage(of: downstreams[connection].multiplexer) == .none {
            timers.remove(Owner.downstreamTimer(connection))
        }
        downstreams[connection].requests &+= 1
        let isOld = driver.now >= downstreams[connection].expiresAt
        if isOld || downstreams[connection].requests >= downstreams[connection].listener.requestsLimit {
            downstreams[connection].closes = true
            announceEnd(connection)
        }
        return key
    }

    /// They stand for those of a chunked request, of which the last chunk is still to come.
    private mutating func onStreamTrailers(_ stream: SocketID) {
        if let session = sessionKey(stream) {
            onResponseTrailers(session)
            return
        }
        guard let key = downstreamKey(stream), exchanges.contains(downstreams[key].exchange) else { return }
        let exchange = downstreams[key].exchange
        guard exchanges[exchange].requestChunks == .none else { return }
        var content = ChunkedContent(limits: downstreams[key].listener.chunkLimits)
        driver.copyTrailers(to: &content)
        exchanges[exchange].requestChunks = chunks.insert(content) ?? .none
    }

    // MARK: Ends

    /// The exchange of a stream is over: it closes behind what is queued. What is missing of the request is told with a reset.
    ///
    /// The mere end of a request whose content is all here is waited for. It is on its way: many clients send it in a frame of its
    /// own, also behind a head that announces nothing, and some fail of a stream that is reset under their hands.
    mutating func lingerStream(_ key: SlabKey) {
        let socket = downstreams[key].socket
        driver.shutdownWrite(socket)
        let isQueued = driver.queuedBytes(socket) > 0
        guard isQueued || driver.awaitsOnlyEnd(socket) else {
            closeDownstream(key)
            return
        }
        downstreams[key].phase = .lingering
        let listener = downstreams[key].listener
        setDownstreamTimer(key, after: isQueued ? listener.writeIdleTimeout : listener.lingerIdleTimeout)
        if !isQueued { resumeDownstream(key) }
    }

    /// The session of a stream is gone.
    mutating func onStreamClosed(_ connection: SlabKey) {
        guard downstreams.contains(connection), case .multiplexed = downstreams[connection].phase else { return }
        guard driver.streamCount(of: downstreams[connection].multiplexer) == 0 else { return }
        downstreams[connection].since = driver.now
        switch driver.goAwayStage(of: downstreams[connection].multiplexer) {
        case .none:
            let isLast = downstreams[connection].closes || !phase.isRunning
            let timeout = isLast ? Self.goAwayGrace : downstreams[connection].listener.keepAliveTimeout
            setDownstreamTimer(connection, after: timeout)
        case .notice:
            // The timer runs from the announcement on: whoever goes on with requests gains nothing.
            break
        case .last:
            setDownstreamTimer(connection, after: 0)
        }
    }

    /// The client shall open no more streams. Those that come within the grace are served, later ones are not.
    private mutating func announceEnd(_ key: SlabKey) {
        guard driver.goAway(downstreams[key].multiplexer, .notice) else { return }
        setDownstreamTimer(key, after: Self.goAwayGrace)
    }

    /// A connection without streams has waited long enough for one, or its end was announced long enough ago: streams that run
    /// end in order, and the connection with the last of them.
    mutating func onMultiplexedDeadline(_ key: SlabKey) {
        _ = driver.goAway(downstreams[key].multiplexer, .last)
        if driver.streamCount(of: downstreams[key].multiplexer) == 0 { endConnection(key) }
    }

    /// The client opens no more streams, or should not: the connection ends with the last one.
    mutating func closeWhenUnused(_ key: SlabKey) {
        downstreams[key].closes = true
        onStreamClosed(key)
    }

    /// Draining begins.
    mutating func drainConnection(_ key: SlabKey) {
        announceEnd(key)
        closeWhenUnused(key)
    }

    /// Bytes that are read away behind the last word to a client that floods.
    private static var lingerOfFlood: Int { 131_072 }

    /// The client broke the protocol, or flooded us; it hears that before the connection ends.
    private mutating func onBroken(_ key: SlabKey, isFlood: Bool) {
        let reason = isFlood ? ConnectionRefusal.Reason.flooded : .brokeRules
        counters.refusals[reason.rawValue] &+= 1
        refusals.note(reason, downstreams[key].listener, downstreams[key].client)
        endConnection(key)
        guard isFlood, downstreams.contains(key) else { return }
        // It was told so at once; reading away all that a flood has in the kernel's buffers is what the flood wants.
        let most = downstreams[key].listener.lingerBytes
        downstreams[key].lingered = max(0, most &- Self.lingerOfFlood)
    }

    /// Whether a connection waits for a request and for nothing else.
    mutating func isUnused(_ key: SlabKey) -> Bool {
        switch downstreams[key].phase {
        case .waiting: true
        case .multiplexed: driver.streamCount(of: downstreams[key].multiplexer) == 0
        case .proxyHeader, .handshake, .head, .exchange, .tunnel, .lingering: false
        }
    }

    /// Ends all streams and the connection; what was said last still reaches the peer.
    private mutating func endConnection(_ key: SlabKey) {
        let multiplexer = downstreams[key].multiplexer
        driver.flushConnection(multiplexer)
        endStreams(multiplexer)
        guard downstreams.contains(key) else { return }
        downstreams[key].multiplexer = .none
        linger(key)
    }

    /// Closes the sessions of all streams of a connection, and forgets that it had any.
    mutating func endStreams(_ multiplexer: SlabKey) {
        driver.markOver(multiplexer)
        while let stream = driver.anyStream(of: multiplexer) {
            if let key = downstreamKey(stream) { closeDownstream(key) } else { driver.close(stream) }
        }
        driver.endMultiplexing(multiplexer)
    }
}
