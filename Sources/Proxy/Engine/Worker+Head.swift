import Telemetry
import Containers
import EventLoop
import HTTP
import HTTP1
import HTTP2
import Middleware

/// From bytes to a request: the head of a client connection's next request.
extension Worker where Driver: ~Copyable {
    /// Looks for a head in the bytes of a connection that waits for one.
    mutating func receiveHead(_ key: SlabKey, _ buffer: consuming Buffer) {
        if downstreams[key].phase == .head, !isWorthParsing(key, buffer) {
            driver.unread(downstreams[key].socket, buffer)
            return
        }
        do throws(RequestFailure) {
            let isComplete = try downstreams[key].listener.parser.parse(buffer.span, into: &request.head)
            guard isComplete else {
                waitForHead(key, buffer)
                return
            }
            beginExchange(key, buffer)
        } catch {
            if downstreams[key].listener.allowsPriorKnowledge, downstreams[key].requests == 0,
                FrameEngine.beginsLikePreface(buffer.span)
            {
                receivePreface(key, buffer)
                return
            }
            refuseHead(key, buffer, LocalReply(error.code))
        }
    }

    /// The preface of HTTP/2, or its beginning (RFC 9113 section 3.3). The rest of it is for the engine to see.
    private mutating func receivePreface(_ key: SlabKey, _ buffer: consuming Buffer) {
        guard buffer.count >= FrameEngine.prefaceLineCount else {
            waitForHead(key, buffer)
            return
        }
        beginMultiplexing(key)
        onDownstreamData(Owner.downstream(key), buffer)
    }

    /// Whether the bytes that came since the last look can complete a line or show an error: an incomplete head is parsed from its
    /// beginning, so looking at every byte of a slow one would cost quadratic time.
    private mutating func isWorthParsing(_ key: SlabKey, _ buffer: borrowing Buffer) -> Bool {
        let seen = downstreams[key].lookedAt
        let bytes = buffer.span
        if bytes.count < 64 || bytes.count >= seen &* 2 { return true }
        var index = min(seen, bytes.count)
        while index < bytes.count {
            if bytes[index] == 0x0A { return true }
            index &+= 1
        }
        return false
    }

    private mutating func waitForHead(_ key: SlabKey, _ buffer: consuming Buffer) {
        if downstreams[key].phase == .waiting {
            downstreams[key].phase = .head
            downstreams[key].since = driver.now
            setDownstreamTimer(key, after: downstreams[key].listener.headTimeout)
        }
        downstreams[key].lookedAt = buffer.count
        if downstreams[key].isPaused { resumeDownstream(key) }
        driver.unread(downstreams[key].socket, compact(buffer))
        if downstreams[key].sawEnd { closeDownstream(key) }
    }

    /// The beginning of a head in a small buffer if it is short: thousands of slow heads must not hold a large one each.
    private mutating func compact(_ buffer: consuming Buffer) -> Buffer {
        guard buffer.capacity > BufferPool.headBytes, buffer.count <= BufferPool.headBytes / 2 else { return buffer }
        var small = driver.buffers.take(.head)
        small.append(buffer)
        driver.buffers.give(buffer)
        return small
    }

    /// A complete head stands at the buffer's front: from here on there is an exchange.
    private mutating func beginExchange(_ key: SlabKey, _ buffer: consuming Buffer) {
        guard let exchange = makeExchange(key) else {
            driver.buffers.give(buffer)
            closeDownstream(key)
            return
        }
        let count = request.head.byteCount
        // Room for the request id and an identity behind the head.
        var bytes = driver.buffers.take(
            atLeast: count + 2 * RequestContext.requestIDLimit + RequestContext.identityLimit)
        bytes.append(buffer, 0..<count)
        buffer.dropFirst(count)
        if buffer.isEmpty { driver.buffers.give(buffer) } else { downstreams[key].pending = consume buffer }
        run(exchange, key, bytes)
    }

    /// Decides on a request whose head is in `request.head` and whose bytes are given.
    @inline(__always)
    mutating func run(_ exchange: SlabKey, _ key: SlabKey, _ head: consuming Buffer) {
        var bytes = head
        noteHead(exchange, key, bytes)
        swap(&request.bytes, &bytes)
        if memoryLevel == .free || !sheds(key) { decide(exchange, key) } else { shed(exchange, key) }
        swap(&request.bytes, &bytes)
        keepRequestBytes(exchange, bytes)
    }

    /// The head's bytes stay with the exchange as long as it lives.
    private mutating func keepRequestBytes(_ exchange: SlabKey, _ bytes: consuming Buffer) {
        guard exchanges.contains(exchange) else {
            driver.buffers.give(bytes)
            return
        }
        // A suspended request's bytes went away with its context; these are the fresh context's, which has none.
        if exchanges[exchange].suspended != nil { return }
        exchanges[exchange].requestBytes = consume bytes
    }

    mutating func makeExchange(_ key: SlabKey) -> SlabKey? {
        let use = current
        let now = driver.now
        let wall = driver.wallClockSeconds
        let wallNanoseconds = driver.wallClockNanoseconds
        let made = exchanges.insert {
            Exchange(downstream: key, snapshot: use, startedAt: now, wall: wall, wallNanoseconds: wallNanoseconds)
        }
        guard let exchangeKey = made else { return nil }
        snapshots[current].uses &+= 1
        downstreams[key].begin(exchangeKey, now: now)
        counters.requests &+= 1
        return exchangeKey
    }

    /// Copies what the exchange needs of the parsed head.
    private mutating func noteHead(_ exchange: SlabKey, _ key: SlabKey, _ bytes: borrowing Buffer) {
        exchanges[exchange].note(request.head, isLogged: snapshots[current].isLogged)
        if case .chunked = request.head.framing, !exchanges[exchange].isStreamed {
            // There are two for every exchange that can be.
            exchanges[exchange].requestChunks =
                chunks.insert(
                    ChunkedContent(limits: downstreams[key].listener.chunkLimits)) ?? .none
        }
        if request.head.isWebSocketHandshake {
            exchanges[exchange].webSocketKey = RequestSteps.webSocketKey(request.head, bytes)
        }
        if !request.head.keepAlive || !phase.isRunning { downstreams[key].closes = true }
    }

    /// Bytes that are no request: an answer, then the connection ends and nothing later on it is interpreted.
    mutating func refuseHead(_ key: SlabKey, _ buffer: consuming Buffer, _ reply: LocalReply) {
        let count = min(buffer.count, BufferPool.headBytes)
        var bytes = driver.buffers.take(atLeast: count + RequestContext.requestIDLimit)
        bytes.append(buffer, 0..<count)
        driver.buffers.give(buffer)
        refuse(key, bytes, count: count, reply)
    }

    /// The same with the bytes that logs show, and room for an id behind them.
    mutating func refuse(_ key: SlabKey, _ head: consuming Buffer, count: Int, _ reply: LocalReply) {
        var bytes = head
        guard let exchange = makeExchange(key) else {
            driver.buffers.give(bytes)
            closeDownstream(key)
            return
        }
        downstreams[key].closes = true
        exchanges[exchange].headBytes = count
        exchanges[exchange].isStreamed = downstreams[key].isStream
        // RFC 9110 section 9.3.2: content behind the answer to HEAD would be taken for the next answer.
        if RequestSteps.isHead(bytes) { exchanges[exchange].method = .head }
        request.reset()
        swap(&request.bytes, &bytes)
        fillIdentity(exchange, key)
        swap(&request.bytes, &bytes)
        exchanges[exchange].requestBytes = consume bytes
        var answer = reply
        let code = reply.code
        if code == .methodNotSupported {
            // RFC 9110 section 15.5.6 demands it. The head is not read to its end, so what the target would allow is unknown.
            answer.headers.append((name: "Allow", value: Method.supported))
        }
        if code == .upgradeRefused {
            // RFC 6455 section 4.2.2.
            answer.headers.append((name: "Sec-WebSocket-Version", value: "13"))
        }
        sendReply(exchange, answer)
    }
}
