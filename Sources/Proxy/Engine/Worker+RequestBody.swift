import Containers
import EventLoop
import HTTP
import HTTP1
import Middleware
import Upstream
import WebSocket

/// The request on its way to the upstream: head, content, end.
///
/// Back-pressure has one rule: a side is read only while nothing is queued for the other.
extension Worker where Driver: ~Copyable {
    /// Gives an exchange its connection and sends the head.
    mutating func attach(_ exchange: SlabKey, _ session: SlabKey, isReused: Bool) {
        leaveQueue(exchange)
        let (index, isStream) = sessions[session].begin(exchange)
        exchanges[exchange].begin(on: session, endpoint: index, isReused: isReused, isStream: isStream)
        if isReused { exchanges[exchange].inFlight.begin(at: sessions[session].endpoint) }
        if case .endpoint = exchanges[exchange].route?.host { setEndpointHost(exchange, session) }
        if isStream { sendHeadOnStream(exchange, session) } else { sendHead(exchange, session) }
    }

    /// The head in the form of HTTP/2. What follows is that of every head.
    @inline(never)
    private mutating func sendHeadOnStream(_ exchange: SlabKey, _ session: SlabKey) {
        guard let head = exchanges[exchange].upstreamHead.take() else {
            failExchange(exchange, .internalError)
            return
        }
        let isComplete = exchanges[exchange].isRequestComplete
        let isTunnel = exchanges[exchange].isWebSocket
        let isBegun = driver.beginRequest(
            sessions[session].socket, head, isSecure: sessions[session].isSecure, isEnd: isComplete && !isTunnel)
        exchanges[exchange].upstreamHead = consume head
        guard isBegun else {
            // A server that takes no WebSockets on streams.
            failExchange(exchange, isTunnel ? .upgradeFailed : .connectionTerminated)
            return
        }
        if isComplete {
            requestSent(exchange)
            return
        }
        if hasPendingContent(exchanges[exchange].downstream) {
            pumpRequest(exchange)
        } else {
            resumeDownstream(exchanges[exchange].downstream)
        }
        if exchanges.contains(exchange), !exchanges[exchange].isRequestComplete { armExchangeTimer(exchange) }
    }

    private mutating func sendHead(_ exchange: SlabKey, _ session: SlabKey) {
        guard let head = exchanges[exchange].upstreamHead.take() else {
            failExchange(exchange, .internalError)
            return
        }
        let socket = sessions[session].socket
        let isComplete = exchanges[exchange].isRequestComplete
        let hasContent = !isComplete && hasPendingContent(exchanges[exchange].downstream)
        if exchanges[exchange].isReplayable {
            driver.send(socket, copyOf: head)
            exchanges[exchange].upstreamHead = consume head
        } else {
            driver.send(socket, head, more: hasContent)
        }
        if isComplete {
            requestSent(exchange)
        } else {
            // Of the connection's time without a request: it would end the upload.
            timers.remove(Owner.upstreamTimer(session))
            if hasContent {
                pumpRequest(exchange)
                // Framing alone sends nothing: the head must not wait for content that comes later.
                driver.flush(socket)
            } else {
                resumeDownstream(exchanges[exchange].downstream)
            }
            if exchanges.contains(exchange), !exchanges[exchange].isRequestComplete { armExchangeTimer(exchange) }
        }
    }

    /// Replaces the Host line by the endpoint's authority. It is the second line of our normal form.
    private mutating func setEndpointHost(_ exchange: SlabKey, _ session: SlabKey) {
        guard let head = exchanges[exchange].upstreamHead.take() else { return }
        let authority = Array(sessions[session].endpoint.authority.utf8)
        var out = driver.buffers.take(atLeast: head.count + authority.count)
        let lineEnd = ByteSearch.firstLineEnd(head, from: 0)
        let hostEnd = ByteSearch.firstLineEnd(head, from: lineEnd)
        out.append(head, 0..<lineEnd)
        out.append("Host: ")
        out.append(authority)
        out.append("\r\n")
        out.append(head, hostEnd..<head.count)
        driver.buffers.give(head)
        exchanges[exchange].upstreamHead = consume out
    }

    /// Sends on what the client's connection has brought of the request's content.
    mutating func pumpRequest(_ exchange: SlabKey) {
        let downstream = exchanges[exchange].downstream
        guard downstreams.contains(downstream) else { return }
        guard let pending = downstreams[downstream].pending.take() else {
            if exchanges[exchange].isStreamed { pumpStream(exchange, downstream, driver.buffers.take(.head)) }
            return
        }
        if exchanges[exchange].isStreamed {
            pumpStream(exchange, downstream, pending)
            return
        }
        let session = exchanges[exchange].session
        guard exchanges[exchange].isSending || exchanges[exchange].isReceiving,
            sessions.contains(session)
        else {
            downstreams[downstream].pending = consume pending
            pauseDownstream(downstream)
            return
        }
        switch exchanges[exchange].requestFraming {
        case .length:
            pumpLength(exchange, session, pending)
        case .chunked:
            pumpChunked(exchange, session, pending)
        case .none, .untilClose:
            downstreams[downstream].pending = consume pending
        }
        guard exchanges.contains(exchange), downstreams.contains(downstream), sessions.contains(session),
            exchanges[exchange].session == session
        else { return }
        // The head is still held back when its content brought nothing to send.
        driver.flush(sessions[session].socket)
        afterRequestContent(exchange, downstream, session)
    }

    /// Content is here, or the end of a stream that had none.
    @inline(__always)
    private mutating func hasPendingContent(_ downstream: SlabKey) -> Bool {
        downstreams[downstream].pending != nil || downstreams[downstream].isStream && downstreams[downstream].sawEnd
    }

    /// Content of a stream, which may be empty at its end.
    @inline(never)
    private mutating func pumpStream(_ exchange: SlabKey, _ downstream: SlabKey, _ bytes: consuming Buffer) {
        let session = exchanges[exchange].session
        guard !exchanges[exchange].isRequestComplete, sessions.contains(session),
            exchanges[exchange].isSending || exchanges[exchange].isReceiving
        else {
            if bytes.isEmpty { driver.buffers.give(bytes) } else { downstreams[downstream].pending = consume bytes }
            pauseDownstream(downstream)
            return
        }
        exchanges[exchange].requestContentBytes &+= bytes.count
        if exchanges[exchange].requestContentBytes > exchanges[exchange].bodyLimit {
            driver.buffers.give(bytes)
            refuseContent(exchange, .bodyTooLarge)
            return
        }
        let isEnd = downstreams[downstream].sawEnd
        let socket = sessions[session].socket
        let isChunked = exchanges[exchange].upstreamFraming == .chunked
        if isEnd { exchanges[exchange].isRequestComplete = true }
        if exchanges[exchange].comesOnStream {
            sendOnStream(bytes, socket, exchange, isEnd: isEnd)
            afterRequestContent(exchange, downstream, session)
            return
        }
        if bytes.isEmpty {
            driver.buffers.give(bytes)
        } else {
            if isChunked { frameChunk(&bytes) }
            driver.send(socket, bytes, more: isEnd && isChunked)
        }
        if isEnd, isChunked { sendLastChunk(socket, exchange) }
        driver.flush(socket)
        afterRequestContent(exchange, downstream, session)
    }

    /// After each step of the request: is it over, may the client be read on?
    mutating func afterRequestContent(_ exchange: SlabKey, _ downstream: SlabKey, _ session: SlabKey) {
        if exchanges[exchange].isRequestComplete {
            requestSent(exchange)
        } else if downstreams[downstream].sawEnd {
            exchanges[exchange].code = .clientClosed
            closeDownstream(downstream)
        } else {
            relayRequest(exchange, downstream, session)
            if driver.queuedBytes(sessions[session].socket) > 0 {
                pauseDownstream(downstream)
                if exchanges[exchange].isSending { armResponseTimer(exchange) }
            } else {
                resumeDownstream(downstream)
            }
        }
        if exchanges.contains(exchange) { armExchangeTimer(exchange) }
    }

    private mutating func pumpLength(_ exchange: SlabKey, _ session: SlabKey, _ bytes: consuming Buffer) {
        let rest = exchanges[exchange].requestRest
        let count = min(rest, bytes.count)
        exchanges[exchange].requestRest = rest &- count
        exchanges[exchange].requestContentBytes &+= count
        if count == rest { exchanges[exchange].isRequestComplete = true }
        if count < bytes.count {
            keepBehind(exchanges[exchange].downstream, bytes, from: count)
            bytes.keepFirst(count)
        }
        if exchanges[exchange].comesOnStream, count == rest {
            driver.sendLast(sessions[session].socket, bytes)
        } else {
            driver.send(sessions[session].socket, bytes, more: false)
        }
    }

    private mutating func pumpChunked(_ exchange: SlabKey, _ session: SlabKey, _ bytes: consuming Buffer) {
        let chunked = exchanges[exchange].requestChunks
        let progress: ChunkedProgress
        do throws(ChunkedFailure) {
            progress = try chunks[chunked].decode(&bytes)
        } catch {
            driver.buffers.give(bytes)
            refuseContent(exchange, error.requestCode)
            return
        }
        exchanges[exchange].requestContentBytes &+= progress.contentCount
        if exchanges[exchange].requestContentBytes > exchanges[exchange].bodyLimit {
            driver.buffers.give(bytes)
            refuseContent(exchange, .bodyTooLarge)
            return
        }
        if progress.isComplete {
            exchanges[exchange].isRequestComplete = true
            if progress.consumed < bytes.count {
                keepBehind(exchanges[exchange].downstream, bytes, from: progress.consumed)
            }
        }
        bytes.keepFirst(progress.contentCount)
        let socket = sessions[session].socket
        if exchanges[exchange].comesOnStream {
            sendOnStream(bytes, socket, exchange, isEnd: progress.isComplete)
            return
        }
        if bytes.isEmpty {
            driver.buffers.give(bytes)
        } else {
            frameChunk(&bytes)
            driver.send(socket, bytes, more: progress.isComplete)
        }
        if progress.isComplete { sendLastChunk(socket, exchange) }
    }

    /// Puts chunk framing around the bytes; they are moved where there is no room before them.
    mutating func frameChunk(_ bytes: inout Buffer) {
        if bytes.headroom < ChunkEncoder.headroom {
            if bytes.capacity &- bytes.count >= ChunkEncoder.headroom &+ ChunkEncoder.tailroom {
                bytes.slide(headroom: ChunkEncoder.headroom)
            }
        }
        if bytes.headroom < ChunkEncoder.headroom || bytes.tailroom < ChunkEncoder.tailroom {
            var larger = driver.buffers.take(atLeast: bytes.count &+ BufferPool.headroom &+ BufferPool.tailroom)
            larger.clear(headroom: BufferPool.headroom)
            larger.append(bytes)
            swap(&bytes, &larger)
            driver.buffers.give(larger)
        }
        _ = ChunkEncoder.frame(&bytes)
    }

    /// Content for an upstream's stream, and the end with those trailers that the route lets through.
    private mutating func sendOnStream(
        _ bytes: consuming Buffer, _ socket: SocketID, _ exchange: SlabKey, isEnd: Bool
    ) {
        guard isEnd else {
            driver.send(socket, bytes, more: false)
            return
        }
        let chunked = exchanges[exchange].requestChunks
        guard chunks.contains(chunked), let allowed = exchanges[exchange].route?.trailers, !allowed.isEmpty,
            !chunks[chunked].trailers.isEmpty
        else {
            driver.sendLast(socket, bytes)
            return
        }
        driver.send(socket, bytes, more: true)
        let count = chunks[chunked].trailers.bytes.count
        var lines = driver.buffers.take(atLeast: count)
        AllowedTrailers.append(chunks[chunked].trailers, only: allowed, to: &lines)
        driver.sendTrailers(socket, lines)
    }

    /// The last chunk, with those trailers of the client that the route lets through.
    private mutating func sendLastChunk(_ socket: SocketID, _ exchange: SlabKey) {
        let chunked = exchanges[exchange].requestChunks
        let hasTrailers = chunks.contains(chunked)
        var last = driver.buffers.take(
            atLeast: 16 &+ (hasTrailers ? chunks[chunked].trailers.bytes.count : 0))
        last.append("0\r\n")
        if hasTrailers, let allowed = exchanges[exchange].route?.trailers, !allowed.isEmpty {
            AllowedTrailers.append(chunks[chunked].trailers, only: allowed, to: &last)
        }
        last.append("\r\n")
        driver.send(socket, last, more: false)
    }

    /// Keeps the bytes behind the request's end: the next request.
    private mutating func keepBehind(_ downstream: SlabKey, _ bytes: borrowing Buffer, from offset: Int) {
        var rest = driver.buffers.take(atLeast: bytes.count &- offset)
        rest.append(bytes, offset..<bytes.count)
        appendPending(downstream, rest)
        pauseDownstream(downstream)
    }

    /// The last byte of the request is on its way: now the upstream's time runs.
    private mutating func requestSent(_ exchange: SlabKey) {
        exchanges[exchange].sentAt = driver.now
        if exchanges[exchange].isResponseComplete {
            finishExchange(exchange)
            return
        }
        if exchanges[exchange].isSending { armResponseTimer(exchange) }
        armExchangeTimer(exchange)
    }

    /// The upstream has to do something now: answer, or take more of a request that waits for it.
    mutating func armResponseTimer(_ exchange: SlabKey) {
        let session = exchanges[exchange].session
        guard sessions.contains(session) else { return }
        sessions[session].queuedBytes = driver.queuedBytes(sessions[session].socket)
        setUpstreamTimer(session, after: exchanges[exchange].route?.responseTimeout ?? 30_000_000_000)
    }

    /// Content that is not valid, or too much: the upstream's request is broken off, never completed.
    private mutating func refuseContent(_ exchange: SlabKey, _ code: ErrorCode) {
        downstreams[exchanges[exchange].downstream].closes = true
        failExchange(exchange, code)
    }

    mutating func onUpstreamDrained(_ key: SlabKey) {
        let exchange = sessions[key].exchange
        guard exchanges.contains(exchange) else {
            let call = sessions[key].call
            if calls.contains(call) { onCallDrained(call) }
            if sessions[key].multiplexer != .none { driver.onConnectionDrained(sessions[key].multiplexer) }
            return
        }
        let downstream = exchanges[exchange].downstream
        guard downstreams.contains(downstream) else { return }
        if exchanges[exchange].phase == .tunnel {
            resumeDownstream(downstream)
            return
        }
        guard !exchanges[exchange].isRequestComplete else {
            // Only now is the last byte of the request sent.
            if exchanges[exchange].isSending { armResponseTimer(exchange) }
            return
        }
        if exchanges[exchange].isSending { timers.remove(Owner.upstreamTimer(key)) }
        if downstreams[downstream].pending != nil { pumpRequest(exchange) } else { resumeDownstream(downstream) }
        if exchanges.contains(exchange) { armExchangeTimer(exchange) }
    }
}
