import Telemetry
import Containers
import EventLoop
import HTTP
import HTTP1
import Middleware
import Upstream
import WebSocket

/// The upstream's answer: interim responses, the head, and how its content will be framed for the client.
extension Worker where Driver: ~Copyable {
    /// Content that is copied behind the head to go out in one piece.
    private static var copyLimit: Int { 4_096 }
    /// In the place of a minor version: the answer came in HTTP/2.
    private static var http2: UInt8 { 20 }

    mutating func onUpstreamData(_ owner: UInt64, _ buffer: consuming Buffer) {
        guard let key = sessions.key(at: Owner.place(owner)) else {
            driver.buffers.give(buffer)
            return
        }
        let exchange = sessions[key].exchange
        guard exchanges.contains(exchange) else {
            let call = sessions[key].call
            if calls.contains(call) {
                onCallData(call, key, buffer)
                return
            }
            if sessions[key].multiplexer != .none {
                sessions[key].idleSince = driver.now
                driver.receive(sessions[key].multiplexer, buffer)
                return
            }
            // Bytes that nobody asked for (RFC 9112 section 9.2): whatever they are, they answer no request.
            driver.buffers.give(buffer)
            counters.unexpectedUpstreamBytes &+= 1
            closeSession(key)
            return
        }
        switch exchanges[exchange].phase {
        case .sending:
            receiveResponseHead(exchange, key, buffer)
        case .receiving:
            receiveContent(exchange, key, buffer)
        case .tunnel, .deciding, .suspended, .queued, .connecting, .replying:
            driver.buffers.give(buffer)
            closeSession(key)
        }
    }

    private mutating func receiveResponseHead(_ exchange: SlabKey, _ key: SlabKey, _ buffer: consuming Buffer) {
        exchanges[exchange].noteAnswer(now: driver.now)
        while true {
            do throws(ResponseFailure) {
                let isComplete = try exchanges[exchange].responseParser.parse(
                    buffer.span, requestMethod: exchanges[exchange].method, into: &response.head)
                guard isComplete else {
                    driver.unread(sessions[key].socket, buffer)
                    if exchanges[exchange].interims > 0 { holdInterims(exchange, key) }
                    return
                }
            } catch {
                driver.buffers.give(buffer)
                failExchange(exchange, error.code)
                return
            }
            if response.head.status == 101 {
                switchProtocols(exchange, key, buffer)
                return
            }
            guard response.head.status < 200 else { break }
            guard relayInterim(exchange, buffer) else {
                driver.buffers.give(buffer)
                failExchange(exchange, .tooManyInterim)
                return
            }
            buffer.dropFirst(response.head.byteCount)
            if buffer.isEmpty {
                driver.buffers.give(buffer)
                holdInterims(exchange, key)
                return
            }
        }
        receiveFinalHead(exchange, key, buffer)
    }

    /// The final head came on a stream.
    mutating func receiveStreamedHead(_ exchange: SlabKey, _ key: SlabKey, isEnd: Bool) {
        exchanges[exchange].noteAnswer(now: driver.now)
        var buffer = driver.buffers.take(atLeast: driver.sectionCount)
        driver.takeResponse(&response.head, &buffer)
        if response.head.status == 101 {
            switchProtocols(exchange, key, buffer)
            return
        }
        exchanges[exchange].isResponseComplete = isEnd
        response.head.minorVersion = Self.http2
        receiveFinalHead(exchange, key, buffer)
    }

    mutating func receiveStreamedInterim(_ exchange: SlabKey, _ key: SlabKey) {
        exchanges[exchange].noteAnswer(now: driver.now)
        var buffer = driver.buffers.take(atLeast: driver.sectionCount)
        driver.takeResponse(&response.head, &buffer)
        let isRelayed = relayInterim(exchange, buffer)
        driver.buffers.give(buffer)
        if isRelayed { holdInterims(exchange, key) } else { failExchange(exchange, .tooManyInterim) }
    }

    /// More of them are read only when the client took these.
    private mutating func holdInterims(_ exchange: SlabKey, _ key: SlabKey) {
        let downstream = exchanges[exchange].downstream
        guard downstreams.contains(downstream), driver.queuedBytes(downstreams[downstream].socket) > 0 else { return }
        pauseSession(key)
        timers.remove(Owner.upstreamTimer(key))
        armExchangeTimer(exchange)
    }

    /// Passes a 1xx on (RFC 9110 section 15.2): not to HTTP/1.0, not more than the limit.
    private mutating func relayInterim(_ exchange: SlabKey, _ buffer: borrowing Buffer) -> Bool {
        exchanges[exchange].interims &+= 1
        guard exchanges[exchange].interims <= exchanges[exchange].route?.interimLimit ?? 0 else { return false }
        if response.head.status == 100 {
            guard exchanges[exchange].awaitsContinue else { return true }
            exchanges[exchange].awaitsContinue = false
        }
        guard exchanges[exchange].minorVersion >= 1 else { return true }
        let downstream = exchanges[exchange].downstream
        if exchanges[exchange].isStreamed, downstreams.contains(downstream) {
            driver.sendInterim(downstreams[downstream].socket, bytes: buffer, head: response.head)
            armResponseTimer(exchange)
            armExchangeTimer(exchange)
            return true
        }
        var out = driver.buffers.take(atLeast: response.head.byteCount + 64)
        guard ResponseEncoder.appendInterim(to: &out, bytes: buffer.span, head: response.head) else {
            driver.buffers.give(out)
            return true
        }
        if downstreams.contains(downstream) { driver.send(downstreams[downstream].socket, out, more: false) }
        armResponseTimer(exchange)
        armExchangeTimer(exchange)
        return true
    }

    /// The final head stands at the buffer's front.
    private mutating func receiveFinalHead(_ exchange: SlabKey, _ key: SlabKey, _ buffer: consuming Buffer) {
        if let seconds = response.head.keepAliveTimeoutSeconds {
            // One second before the upstream gives up, so that a request does not meet its closing.
            let limit = Int64(max(0, min(seconds, 3_600)) - 1) * 1_000_000_000
            sessions[key].idleLimit = min(sessions[key].idleLimit, max(limit, 0))
        }
        let (endsConnection, isStreamed) = exchanges[exchange].beginAnswer(response.head)
        if case .chunked = response.head.framing, !exchanges[exchange].comesOnStream {
            exchanges[exchange].responseChunks =
                chunks.insert(
                    ChunkedContent(limits: exchanges[exchange].route?.chunkLimits ?? ChunkLimits())) ?? .none
        }
        if endsConnection { downstreams[exchanges[exchange].downstream].closes = true }
        // The response timer still runs: `afterContent` replaces it.
        if let head = exchanges[exchange].upstreamHead.take() { driver.buffers.give(head) }
        endRetry(exchange)
        let headCount = response.head.byteCount
        if isStreamed {
            answerStream(exchange, key, buffer)
            return
        }
        guard let out = encodeResponseHead(exchange, &buffer) else {
            driver.buffers.give(buffer)
            failExchange(exchange, .responseHeadersTooLarge)
            return
        }
        buffer.dropFirst(headCount)
        exchanges[exchange].startResponse(status: response.head.status, headCount: out.count)
        keepResponseHead(exchange, out)
        sendHeadAndContent(exchange, key, out, buffer)
    }

    /// The middleware's part of an answer whose bytes are in `response`.
    @inline(__always)
    private mutating func finishResponseHead(_ exchange: SlabKey) {
        runResponsePhase(exchange)
        // RFC 9110 section 7.6.3: the version in which the answer came.
        switch response.head.minorVersion {
        case 1: response.additions.appendLines { $0.append("Via: 1.1 martlet\r\n") }
        case 0: response.additions.appendLines { $0.append("Via: 1.0 martlet\r\n") }
        default: response.additions.appendLines { $0.append("Via: 2.0 martlet\r\n") }
        }
    }

    /// The final head for a client that asked on a stream, and what is here of the content.
    @inline(never)
    private mutating func answerStream(_ exchange: SlabKey, _ key: SlabKey, _ buffer: consuming Buffer) {
        response.additions.removeAll()
        response.isLocal = false
        response.now = driver.now
        let headCount = response.head.byteCount
        let status = response.head.status
        swap(&response.bytes, &buffer)
        finishResponseHead(exchange)
        let isSent = sendStreamHead(exchange, isEnd: exchanges[exchange].isResponseComplete)
        swap(&response.bytes, &buffer)
        guard isSent else {
            driver.buffers.give(buffer)
            failExchange(exchange, .responseHeadersTooLarge)
            return
        }
        buffer.dropFirst(headCount)
        exchanges[exchange].startResponse(status: status, headCount: exchanges[exchange].sentBytes)
        let isWhole = exchanges[exchange].isResponseComplete && buffer.isEmpty
        if isWhole || buffer.isEmpty {
            driver.buffers.give(buffer)
        } else if !takeContent(exchange, buffer) {
            return
        }
        if exchanges.contains(exchange) { afterContent(exchange, key) }
    }

    /// Runs the response phase and writes the head for the client. Nil: it does not fit.
    private mutating func encodeResponseHead(_ exchange: SlabKey, _ buffer: inout Buffer) -> Buffer? {
        response.additions.removeAll()
        response.isLocal = false
        response.now = driver.now
        swap(&response.bytes, &buffer)
        finishResponseHead(exchange)
        let downstream = exchanges[exchange].downstream
        date.update(seconds: driver.wallClockSeconds)
        var out = driver.buffers.take(
            atLeast: response.head.byteCount + response.additions.span.count + 256 + Self.copyLimit)
        let isEncoded =
            (try? ResponseEncoder.append(
                to: &out, bytes: response.bytes.span, head: response.head, additions: response.additions.span,
                framing: exchanges[exchange].downstreamFraming,
                connection: downstreams[downstream].closes ? .close : .keepAlive,
                clientMinorVersion: exchanges[exchange].minorVersion, date: date.bytes.span,
                checksAdditions: false)) ?? false
        swap(&response.bytes, &buffer)
        guard isEncoded else {
            driver.buffers.give(out)
            return nil
        }
        return out
    }

    /// The middleware that saw the request sees the response, in reverse order.
    mutating func runResponsePhase(_ exchange: SlabKey) {
        guard exchanges[exchange].entered > 0, let route = exchanges[exchange].route else { return }
        response.slot = 0
        response.client = exchanges[exchange].client
        response.isSecure = exchanges[exchange].isSecure
        if exchanges[exchange].isSecure, downstreams.contains(exchanges[exchange].downstream) {
            response.secure = downstreams[exchanges[exchange].downstream].secure
        }
        response.names = route.names
        if let bytes = exchanges[exchange].requestBytes.take() {
            var bytes = bytes
            swap(&response.requestBytes, &bytes)
            noteRequest(exchange)
            onResponse(route.chain, exchange)
            swap(&response.requestBytes, &bytes)
            exchanges[exchange].requestBytes = consume bytes
        } else {
            // The request is still being decided: its bytes are with the request context.
            swap(&response.requestBytes, &request.bytes)
            noteRequest(exchange)
            onResponse(route.chain, exchange)
            swap(&response.requestBytes, &request.bytes)
        }
    }

    private mutating func onResponse(_ chain: MiddlewareChain, _ exchange: SlabKey) {
        let slots = exchanges[exchange].slots
        chain.onResponse(&response, entered: exchanges[exchange].entered, slots: chainSlots[slots].values)
    }

    private mutating func noteRequest(_ exchange: SlabKey) {
        response.requestID.clear()
        response.requestID.append(
            response.requestBytes, exchanges[exchange].requestID.range(within: response.requestBytes.count))
        response.identity.clear()
        response.identity.append(
            response.requestBytes, exchanges[exchange].identity.range(within: response.requestBytes.count))
    }

    /// Sends the head with what is here of the content, in one call if it can be.
    private mutating func sendHeadAndContent(
        _ exchange: SlabKey, _ key: SlabKey, _ head: consuming Buffer, _ content: consuming Buffer
    ) {
        let socket = downstreams[exchanges[exchange].downstream].socket
        if content.isEmpty {
            driver.buffers.give(content)
            driver.send(socket, head, more: false)
            afterContent(exchange, key)
            return
        }
        if case .length(let rest) = exchanges[exchange].downstreamFraming, content.count <= rest,
            content.count <= head.tailroom, content.count <= Self.copyLimit
        {
            head.append(content)
            exchanges[exchange].noteFirstContent(content.count, of: rest)
            driver.buffers.give(content)
            driver.send(socket, head, more: false)
            afterContent(exchange, key)
            return
        }
        driver.send(socket, head, more: true)
        let isWhole = takeContent(exchange, content)
        // The head may still be held back when the content brought nothing to send. What comes after looks at what is queued
        // and waits for `drained`, so it must not see bytes that only wait for us.
        driver.flush(socket)
        if isWhole, exchanges.contains(exchange) { afterContent(exchange, key) }
    }
}
