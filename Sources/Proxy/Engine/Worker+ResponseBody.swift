import Telemetry
import Containers
import EventLoop
import HTTP
import HTTP1
import Upstream
import WebSocket

/// Content of the response, from the upstream to the client.
extension Worker where Driver: ~Copyable {
    mutating func receiveContent(_ exchange: SlabKey, _ key: SlabKey, _ buffer: consuming Buffer) {
        let isWhole = takeContent(exchange, buffer)
        if isWhole, exchanges.contains(exchange) { afterContent(exchange, key) }
    }

    /// Sends content on to the client. False: it is broken and the exchange was cut.
    mutating func takeContent(_ exchange: SlabKey, _ buffer: consuming Buffer) -> Bool {
        switch exchanges[exchange].responseFraming {
        case .none:
            // Content where none may be (RFC 9110 section 9.3.2): the answer is complete, the connection is not to be trusted.
            if !buffer.isEmpty { exchanges[exchange].keepsSession = false }
            driver.buffers.give(buffer)
        case .length:
            let rest = exchanges[exchange].responseRest
            if buffer.count > rest {
                exchanges[exchange].keepsSession = false
                counters.unexpectedUpstreamBytes &+= 1
                buffer.keepFirst(rest)
            }
            exchanges[exchange].responseRest = rest &- buffer.count
            if buffer.count == rest { exchanges[exchange].isResponseComplete = true }
            sendContent(exchange, buffer)
        case .chunked:
            return receiveChunks(exchange, buffer)
        case .untilClose:
            sendContent(exchange, buffer)
        }
        return true
    }

    /// False: the coding is broken and the exchange was cut.
    private mutating func receiveChunks(_ exchange: SlabKey, _ buffer: consuming Buffer) -> Bool {
        let chunked = exchanges[exchange].responseChunks
        let progress: ChunkedProgress
        do throws(ChunkedFailure) {
            progress = try chunks[chunked].decode(&buffer)
        } catch {
            driver.buffers.give(buffer)
            failExchange(exchange, .responseInvalid)
            return false
        }
        if progress.isComplete {
            exchanges[exchange].isResponseComplete = true
            if progress.consumed < buffer.count {
                exchanges[exchange].keepsSession = false
                counters.unexpectedUpstreamBytes &+= 1
            }
        }
        buffer.keepFirst(progress.contentCount)
        sendContent(exchange, buffer)
        return true
    }

    /// Frames content for the client and sends it, with the end of a chunked answer if this is it.
    private mutating func sendContent(_ exchange: SlabKey, _ buffer: consuming Buffer) {
        let downstream = exchanges[exchange].downstream
        guard downstreams.contains(downstream) else {
            driver.buffers.give(buffer)
            return
        }
        let socket = downstreams[downstream].socket
        if exchanges[exchange].isStreamed {
            sendStreamContent(exchange, socket, buffer)
            return
        }
        exchanges[exchange].responseContentBytes &+= buffer.count
        guard exchanges[exchange].downstreamFraming == .chunked else {
            exchanges[exchange].sentBytes &+= buffer.count
            driver.send(socket, buffer, more: false)
            return
        }
        let isEnd = exchanges[exchange].isResponseComplete
        if buffer.isEmpty {
            driver.buffers.give(buffer)
        } else {
            frameChunk(&buffer)
            if isEnd, !hasTrailers(exchange), buffer.tailroom >= 5 {
                buffer.append(ChunkEncoder.last)
                exchanges[exchange].sentBytes &+= buffer.count
                driver.send(socket, buffer, more: false)
                return
            }
            exchanges[exchange].sentBytes &+= buffer.count
            driver.send(socket, buffer, more: isEnd)
        }
        guard isEnd else { return }
        let chunked = exchanges[exchange].responseChunks
        var last: Buffer
        if hasTrailers(exchange) {
            last = driver.buffers.take(atLeast: 16 &+ chunks[chunked].trailers.bytes.count)
            _ = ChunkEncoder.appendLast(to: &last, trailers: chunks[chunked].trailers)
        } else {
            last = driver.buffers.take(.head)
            last.append(ChunkEncoder.last)
        }
        exchanges[exchange].sentBytes &+= last.count
        driver.send(socket, last, more: false)
    }

    /// False for an answer that did not come in chunks, too.
    mutating func hasTrailers(_ exchange: SlabKey) -> Bool {
        let chunked = exchanges[exchange].responseChunks
        return chunks.contains(chunked) && !chunks[chunked].trailers.isEmpty
    }

    /// After each step of the answer: is it over, may the upstream be read on?
    mutating func afterContent(_ exchange: SlabKey, _ key: SlabKey) {
        let downstream = exchanges[exchange].downstream
        guard downstreams.contains(downstream) else { return }
        if exchanges[exchange].isResponseComplete {
            releaseSession(exchange)
            if driver.queuedBytes(downstreams[downstream].socket) == 0 {
                finishExchange(exchange)
            } else {
                armExchangeTimer(exchange)
            }
            return
        }
        relayResponse(exchange, key)
        if driver.queuedBytes(downstreams[downstream].socket) > 0 {
            pauseSession(key)
            timers.remove(Owner.upstreamTimer(key))
        } else {
            setUpstreamTimer(key, after: exchanges[exchange].contentIdleTimeout)
        }
        armExchangeTimer(exchange)
    }

    mutating func pauseSession(_ key: SlabKey) {
        guard !sessions[key].isPaused else { return }
        sessions[key].isPaused = true
        driver.pause(sessions[key].socket)
    }

    mutating func resumeSession(_ key: SlabKey) {
        guard sessions[key].isPaused else { return }
        sessions[key].isPaused = false
        driver.resume(sessions[key].socket)
        let exchange = sessions[key].exchange
        guard exchanges.contains(exchange), exchanges[exchange].isReceiving else { return }
        setUpstreamTimer(key, after: exchanges[exchange].contentIdleTimeout)
    }

    /// The answer is complete: its connection goes back to the pool if both messages are, and nothing odd was seen.
    mutating func releaseSession(_ exchange: SlabKey) {
        let (key, mayKeep) = exchanges[exchange].letSessionGo()
        guard sessions.contains(key) else { return }
        let (socket, isPaused) = sessions[key].leaveExchange()
        if isPaused { resumeSession(key) }
        timers.remove(Owner.upstreamTimer(key))
        guard mayKeep, driver.queuedBytes(socket) == 0 else {
            closeSession(key)
            return
        }
        becomeIdle(key)
    }

    mutating func onUpstreamEnd(_ key: SlabKey) {
        let exchange = sessions[key].exchange
        guard exchanges.contains(exchange) else {
            let call = sessions[key].call
            if calls.contains(call) { onCallEnd(call, key) } else { closeSession(key) }
            return
        }
        switch exchanges[exchange].phase {
        case .receiving where exchanges[exchange].responseFraming == .untilClose:
            exchanges[exchange].isResponseComplete = true
            sendContent(exchange, driver.buffers.take(.head))
            if exchanges.contains(exchange) { afterContent(exchange, key) }
        case .receiving:
            failExchange(exchange, .responseIncomplete)
        case .tunnel:
            onUpstreamTunnelEnd(exchange, key)
        case .connecting:
            onConnectFailure(key, .connectionTerminated)
        case .sending:
            retryOrFail(exchange, .connectionTerminated)
        case .deciding, .suspended, .queued, .replying:
            closeSession(key)
        }
    }

    mutating func onUpstreamFailure(_ key: SlabKey, _ failure: IOFailure) {
        let exchange = sessions[key].exchange
        guard exchanges.contains(exchange) else {
            let call = sessions[key].call
            if calls.contains(call) {
                onCallFailure(call, key, failure)
                return
            }
            if sessions[key].phase == .connecting { sessions[key].endpoint.noteConnectFailure(now: driver.now) }
            closeSession(key)
            return
        }
        switch exchanges[exchange].phase {
        case .connecting:
            onConnectFailure(key, failure.connectCode)
        case .sending:
            retryOrFail(exchange, .connectionReset, isUntouched: failure == .refused)
        case .receiving:
            failExchange(exchange, .responseIncomplete)
        case .tunnel:
            onUpstreamTunnelEnd(exchange, key)
        case .deciding, .suspended, .queued, .replying:
            closeSession(key)
        }
    }

    /// The connection died before a byte of an answer. Sent once more only where that is safe: idempotent without content.
    ///
    /// A connection that had served and died of the next request is the ordinary case (RFC 9112 section 9.3.1): the upstream closed it
    /// while that was on its way. It says nothing about the upstream, and many end at once, so it takes nothing from the budget.
    /// Neither does a stream that the upstream says it did not touch: those are what a connection's end or limit leaves over, and
    /// one request may meet several such ends.
    private mutating func retryOrFail(_ exchange: SlabKey, _ code: ErrorCode, isUntouched: Bool = false) {
        let key = exchanges[exchange].session
        let isSafe =
            exchanges[exchange].isReplayable && exchanges[exchange].interims == 0
            && exchanges[exchange].upstreamHead != nil
        let state = pools[exchanges[exchange].pool].state
        endRetry(exchange)
        let isFree =
            isUntouched
            ? exchanges[exchange].refusals < Self.mostRefusals
            : exchanges[exchange].isReused && exchanges[exchange].retries == 0
        let mayRetry =
            isSafe && exchanges[exchange].firstByteAt == .never
            && (isFree ? state.allowsRetries : state.beginRetry(attempts: exchanges[exchange].retries))
        guard mayRetry else {
            failExchange(exchange, code)
            return
        }
        exchanges[exchange].isRetrying = !isFree
        counters.retries &+= 1
        if isUntouched && isFree {
            exchanges[exchange].refusals &+= 1
        } else {
            exchanges[exchange].retries &+= 1
            if !exchanges[exchange].isReused { exchanges[exchange].tried.insert(exchanges[exchange].endpoint) }
        }
        exchanges[exchange].inFlight.end()
        exchanges[exchange].session = .none
        exchanges[exchange].code = code
        sessions[key].exchange = .none
        closeSession(key)
        connectExchange(exchange)
    }

    /// Refused streams of one request that take nothing from its retries.
    private static var mostRefusals: UInt8 { 16 }

    mutating func endRetry(_ exchange: SlabKey) {
        guard exchanges[exchange].isRetrying, pools.contains(exchanges[exchange].pool) else { return }
        exchanges[exchange].isRetrying = false
        pools[exchanges[exchange].pool].state.endRetry()
    }
}
