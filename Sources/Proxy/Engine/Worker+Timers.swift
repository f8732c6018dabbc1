import Containers
import EventLoop
import HTTP
import HTTP1
import Middleware
import WebSocket

/// Deadlines: each has its own error code.
extension Worker where Driver: ~Copyable {
    mutating func onDeadline(_ owner: Int) {
        if owner & 1 == 0 {
            if let key = downstreams.key(at: owner / 2) { onDownstreamDeadline(key) }
        } else if let key = sessions.key(at: owner / 2) {
            onSessionDeadline(key)
        }
    }

    private mutating func onDownstreamDeadline(_ key: SlabKey) {
        switch downstreams[key].phase {
        case .waiting, .lingering:
            closeDownstream(key)
        case .multiplexed:
            onMultiplexedDeadline(key)
        case .proxyHeader:
            refusals.note(.slowProxyHeader, downstreams[key].listener, downstreams[key].client)
            closeDownstream(key)
        case .handshake:
            timeOutHandshake(key)
        case .head:
            timeOutHead(key)
        case .exchange, .tunnel:
            let exchange = downstreams[key].exchange
            if exchanges.contains(exchange) { onExchangeDeadline(exchange, key) }
        }
    }

    private mutating func onExchangeDeadline(_ exchange: SlabKey, _ downstream: SlabKey) {
        if exchanges[exchange].phase == .tunnel {
            onTunnelDeadline(exchange, downstream)
            return
        }
        if exchanges[exchange].totalDeadline <= driver.now {
            failExchange(exchange, .totalTimeout)
            return
        }
        guard exchanges[exchange].wait.deadline <= driver.now else {
            armExchangeTimer(exchange)
            return
        }
        switch exchanges[exchange].wait.reason {
        case .nothing:
            armExchangeTimer(exchange)
        case .connection:
            failExchange(exchange, .queueTimeout)
        case .decision:
            failExchange(exchange, .middlewareTimeout)
        case .goAhead:
            failExchange(exchange, .responseTimeout)
        case .content:
            onSlowContent(exchange, downstream)
        case .writing:
            onSlowReader(exchange, downstream)
        }
    }

    private mutating func timeOutHead(_ key: SlabKey) {
        guard let exchange = makeExchange(key) else {
            closeDownstream(key)
            return
        }
        downstreams[key].closes = true
        request.reset()
        var bytes = driver.buffers.take(.head)
        swap(&request.bytes, &bytes)
        fillIdentity(exchange, key)
        swap(&request.bytes, &bytes)
        exchanges[exchange].requestBytes = consume bytes
        reply(exchange, .requestTimeout)
    }

    /// An upstream that still takes the request has not run out of time for its answer.
    private mutating func onSendingDeadline(_ exchange: SlabKey, _ key: SlabKey) {
        let queued = driver.queuedBytes(sessions[key].socket)
        if queued > 0, queued < sessions[key].queuedBytes {
            armResponseTimer(exchange)
        } else if exchanges[exchange].isRequestComplete || queued > 0 {
            doubtConnection(of: key)
            failExchange(exchange, .responseTimeout)
        }
    }

    private mutating func onSessionDeadline(_ key: SlabKey) {
        let exchange = sessions[key].exchange
        switch sessions[key].phase {
        case .connecting:
            onConnectFailure(key, .connectionTimeout)
        case .idle:
            closeSession(key)
        case .multiplexed:
            if driver.streamCount(of: sessions[key].multiplexer) == 0 { closeSession(key) }
        case .busy:
            guard exchanges.contains(exchange) else {
                closeSession(key)
                return
            }
            switch exchanges[exchange].phase {
            case .sending:
                onSendingDeadline(exchange, key)
            case .receiving:
                failExchange(exchange, .responseBodyTimeout)
            case .tunnel, .deciding, .suspended, .queued, .connecting, .replying:
                break
            }
        }
    }
}
