import Containers
import EventLoop
import HTTP
import HTTP1
import Middleware
import WebSocket

/// What an exchange waits for on the client's side, and until when.
struct ExchangeWait {
    enum Reason { case nothing, connection, decision, content, writing }

    var reason = Reason.nothing
    var deadline = Instant.never
    /// Bytes queued for the client when the wait began: fewer mean progress.
    var queuedBytes = 0
}

/// Deadlines: each has its own error code.
extension Worker where Driver: ~Copyable {
    /// Recomputes what the exchange waits for on the client's side. Called after each step that is progress.
    mutating func armExchangeTimer(_ exchange: SlabKey) {
        let downstream = exchanges[exchange].downstream
        guard downstreams.contains(downstream) else { return }
        if exchanges[exchange].needsNothing, driver.queuedBytes(downstreams[downstream].socket) == 0 {
            exchanges[exchange].wait = ExchangeWait()
            timers.set(Owner.downstreamTimer(downstream), to: exchanges[exchange].totalDeadline)
            return
        }
        let listener = downstreams[downstream].listener
        var wait = ExchangeWait()
        switch exchanges[exchange].phase {
        case .queued:
            wait.reason = .connection
            wait.deadline = exchanges[exchange].queuedAt.advanced(
                by: exchanges[exchange].route?.queueTimeout ?? 5_000_000_000)
        case .suspended:
            wait.reason = .decision
            wait.deadline = exchanges[exchange].suspendedUntil
        case .tunnel:
            armTunnelTimer(exchange, downstream)
            return
        case .deciding, .connecting, .sending, .receiving, .replying:
            wait.queuedBytes = driver.queuedBytes(downstreams[downstream].socket)
            if wait.queuedBytes > 0 {
                wait.reason = .writing
                wait.deadline = driver.now.advanced(by: listener.writeIdleTimeout)
            } else if !exchanges[exchange].isRequestComplete, !downstreams[downstream].isPaused {
                wait.reason = .content
                wait.deadline = driver.now.advanced(by: listener.bodyIdleTimeout)
            }
        }
        exchanges[exchange].wait = wait
        let deadline = min(wait.deadline, exchanges[exchange].totalDeadline)
        timers.set(Owner.downstreamTimer(downstream), to: deadline)
    }

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
        case .proxyHeader:
            refusals.note(.slowProxyHeader, downstreams[key].listener, downstreams[key].client)
            closeDownstream(key)
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
        let wait = exchanges[exchange].wait
        guard wait.deadline <= driver.now else {
            armExchangeTimer(exchange)
            return
        }
        switch wait.reason {
        case .nothing:
            break
        case .connection:
            failExchange(exchange, .queueTimeout)
        case .decision:
            failExchange(exchange, .middlewareTimeout)
        case .content:
            downstreams[downstream].closes = true
            failExchange(exchange, .bodyTimeout)
        case .writing:
            if driver.queuedBytes(downstreams[downstream].socket) < wait.queuedBytes {
                armExchangeTimer(exchange)
            } else {
                exchanges[exchange].code = .writeTimeout
                closeDownstream(downstream, abort: true)
            }
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
