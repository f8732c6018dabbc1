import Containers
import EventLoop
import HTTP
import HTTP1
import WebSocket

/// Bytes and events of a client connection.
extension Worker where Driver: ~Copyable {
    mutating func onDownstreamData(_ owner: UInt64, _ buffer: consuming Buffer) {
        guard let key = downstreams.key(at: Owner.place(owner)) else {
            driver.buffers.give(buffer)
            return
        }
        switch downstreams[key].phase {
        case .waiting, .head:
            receiveHead(key, buffer)
        case .exchange:
            receiveDuringExchange(key, buffer)
        case .tunnel:
            // Its bytes come to the tunnel.
            driver.buffers.give(buffer)
        case .multiplexed:
            driver.receive(downstreams[key].multiplexer, buffer)
        case .proxyHeader:
            receiveProxyHeader(key, buffer)
        case .handshake:
            refusePlain(key, buffer)
        case .lingering:
            downstreams[key].lingered &+= buffer.count
            let isTooMuch = downstreams[key].lingered > downstreams[key].listener.lingerBytes
            driver.buffers.give(buffer)
            if isTooMuch { closeDownstream(key) } else { extendLinger(key) }
        }
    }

    /// Content of the running request, or requests behind it.
    private mutating func receiveDuringExchange(_ key: SlabKey, _ buffer: consuming Buffer) {
        let exchange = downstreams[key].exchange
        appendPending(key, buffer)
        if exchanges.contains(exchange), !exchanges[exchange].isRequestComplete {
            pumpRequest(exchange)
        } else {
            pauseDownstream(key)
        }
    }

    /// Keeps received bytes for later. Reading is paused before a second buffer can come, but for bytes that were on their way.
    mutating func appendPending(_ key: SlabKey, _ buffer: consuming Buffer) {
        guard let old = downstreams[key].pending.take() else {
            downstreams[key].pending = consume buffer
            return
        }
        var joined = driver.buffers.take(atLeast: old.count + buffer.count)
        joined.append(old)
        joined.append(buffer)
        driver.buffers.give(old)
        driver.buffers.give(buffer)
        downstreams[key].pending = consume joined
    }

    mutating func pauseDownstream(_ key: SlabKey) {
        guard !downstreams[key].isPaused else { return }
        downstreams[key].isPaused = true
        driver.pause(downstreams[key].socket)
    }

    mutating func resumeDownstream(_ key: SlabKey) {
        guard downstreams[key].isPaused else { return }
        downstreams[key].isPaused = false
        driver.resume(downstreams[key].socket)
    }

    /// The last exchange is over and bytes may be waiting.
    mutating func continueDownstream(_ key: SlabKey) {
        guard downstreams[key].phase == .waiting else { return }
        if let pending = downstreams[key].pending.take() {
            receiveHead(key, pending)
        } else if downstreams[key].sawEnd {
            closeDownstream(key)
        }
    }

    mutating func onDownstreamEnd(_ key: SlabKey) {
        downstreams[key].sawEnd = true
        switch downstreams[key].phase {
        case .waiting, .head, .proxyHeader, .lingering, .multiplexed:
            closeDownstream(key)
        case .handshake:
            onHandshakeFailure(key, .truncated)
        case .tunnel:
            onClientTunnelEnd(key)
        case .exchange where downstreams[key].isStream:
            // The end of the request and nothing else.
            pumpRequest(downstreams[key].exchange)
        case .exchange:
            let exchange = downstreams[key].exchange
            guard exchanges.contains(exchange), !exchanges[exchange].isRequestComplete else {
                // A client that has asked all it wants still gets every answer; the last one says that it is the last.
                if downstreams[key].pending == nil { downstreams[key].closes = true }
                // In the queue its place is worth more than the chance that it still reads: nothing was sent yet.
                if exchanges.contains(exchange), exchanges[exchange].phase == .queued {
                    exchanges[exchange].code = .clientClosed
                    closeDownstream(key)
                }
                return
            }
            if downstreams[key].pending == nil {
                // RFC 9112 section 8: an incomplete request is never completed for it.
                exchanges[exchange].code = .clientClosed
                closeDownstream(key)
            }
        }
    }

    mutating func onDownstreamFailure(_ key: SlabKey, _ failure: IOFailure) {
        if case .handshake = downstreams[key].phase {
            onHandshakeFailure(key, failure)
            return
        }
        let exchange = downstreams[key].exchange
        if exchanges.contains(exchange), exchanges[exchange].code == .none { exchanges[exchange].code = .clientClosed }
        closeDownstream(key)
    }

    /// Everything queued for the client is with the kernel: the upstream may be read again.
    mutating func onDownstreamDrained(_ key: SlabKey) {
        if downstreams[key].multiplexer != .none {
            driver.onConnectionDrained(downstreams[key].multiplexer)
            return
        }
        let exchange = downstreams[key].exchange
        guard exchanges.contains(exchange) else {
            if downstreams[key].isStream { lingerStream(key) }
            return
        }
        let session = exchanges[exchange].session
        if sessions.contains(session) {
            // Interim responses filled the queue: from now on the final one is waited for again.
            if exchanges[exchange].isSending, sessions[session].isPaused { armResponseTimer(exchange) }
            resumeSession(session)
        }
        if exchanges[exchange].phase == .tunnel { return }
        if exchanges[exchange].isResponseComplete {
            finishExchange(exchange)
        } else {
            armExchangeTimer(exchange)
        }
    }
}
