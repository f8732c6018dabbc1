import Containers
import EventLoop
import HTTP

/// What an exchange waits for on the client's side, and until when.
struct ExchangeWait {
    enum Reason {
        case nothing, connection, decision
        /// The upstream has to say `100 Continue` first.
        case goAhead
        case content, writing
    }

    var reason = Reason.nothing
    /// When to look at it again.
    var deadline = Instant.never
    /// When the client has been silent for too long.
    var idleDeadline = Instant.never
    /// Bytes that had come, or were delivered, at the last look.
    var count = 0
    /// The client had a second look already.
    var isMarked = false
}

/// Waiting for clients: without any byte (idle), and with too few of them (`ClientPace`).
extension Worker where Driver: ~Copyable {
    /// Recomputes what the exchange waits for on the client's side. Called after each step that is progress.
    mutating func armExchangeTimer(_ exchange: SlabKey) {
        let downstream = exchanges[exchange].downstream
        guard downstreams.contains(downstream) else { return }
        let queued = driver.queuedBytes(downstreams[downstream].socket)
        if exchanges[exchange].needsNothing, queued == 0 {
            waitForNothing(exchange, downstream)
            timers.set(Owner.downstreamTimer(downstream), to: exchanges[exchange].totalDeadline)
            return
        }
        switch exchanges[exchange].phase {
        case .queued:
            exchanges[exchange].wait.reason = .connection
            exchanges[exchange].wait.deadline = exchanges[exchange].queuedAt.advanced(
                by: exchanges[exchange].route?.queueTimeout ?? 5_000_000_000)
        case .suspended:
            exchanges[exchange].wait.reason = .decision
            exchanges[exchange].wait.deadline = exchanges[exchange].suspendedUntil
        case .tunnel:
            armTunnelTimer(exchange, downstream)
            return
        case .deciding, .connecting, .sending, .receiving, .replying:
            if queued > 0 {
                waitForReader(exchange, downstream, queued: queued)
            } else if awaitsContent(exchange, downstream) {
                waitForContent(exchange, downstream)
            } else {
                waitForNothing(exchange, downstream)
            }
        }
        armWait(exchange, downstream)
    }

    private mutating func armWait(_ exchange: SlabKey, _ downstream: SlabKey) {
        timers.set(
            Owner.downstreamTimer(downstream),
            to: min(exchanges[exchange].wait.deadline, exchanges[exchange].totalDeadline))
    }

    /// Whether the client alone is what keeps the request's content away.
    private mutating func awaitsContent(_ exchange: SlabKey, _ downstream: SlabKey) -> Bool {
        guard !exchanges[exchange].isRequestComplete, !downstreams[downstream].isPaused else { return false }
        return exchanges[exchange].isSending || exchanges[exchange].isReceiving
    }

    private mutating func waitForNothing(_ exchange: SlabKey, _ downstream: SlabKey) {
        if exchanges[exchange].waitForNothing() { stopPace(exchange, downstream) }
    }

    private mutating func stopPace(_ exchange: SlabKey, _ downstream: SlabKey) {
        let now = driver.now
        switch exchanges[exchange].pace.direction {
        case .none:
            break
        case .content:
            let count = exchanges[exchange].requestContentBytes
            exchanges[exchange].pace.stop(at: count, now: now, limits: downstreams[downstream].listener.contentPace)
        case .answer:
            let taken = exchanges[exchange].sentBytes &- driver.queuedBytes(downstreams[downstream].socket)
            exchanges[exchange].pace.stop(at: taken, now: now, limits: downstreams[downstream].listener.answerPace)
        }
    }

    private mutating func waitForContent(_ exchange: SlabKey, _ downstream: SlabKey) {
        let now = driver.now
        let count = exchanges[exchange].requestContentBytes
        if exchanges[exchange].pace.direction == .answer { stopPace(exchange, downstream) }
        if count == 0, exchanges[exchange].awaitsContinue {
            guard exchanges[exchange].wait.reason != .goAhead else { return }
            exchanges[exchange].wait.reason = .goAhead
            exchanges[exchange].wait.deadline = now.advanced(
                by: exchanges[exchange].route?.responseTimeout ?? 30_000_000_000)
            return
        }
        // Steps of the answer are no progress of the request.
        if exchanges[exchange].wait.reason != .content || exchanges[exchange].wait.count != count {
            exchanges[exchange].wait.reason = .content
            exchanges[exchange].wait.count = count
            exchanges[exchange].wait.isMarked = false
            exchanges[exchange].wait.idleDeadline = now.advanced(
                by: exchanges[exchange].dialogueTimeout ?? downstreams[downstream].listener.bodyIdleTimeout)
        }
        if !exchanges[exchange].isDialogue {
            exchanges[exchange].pace.start(
                .content, at: count, now: now, limits: downstreams[downstream].listener.contentPace)
        }
        exchanges[exchange].wait.deadline = min(
            exchanges[exchange].wait.idleDeadline, exchanges[exchange].pace.deadline)
    }

    private mutating func waitForReader(_ exchange: SlabKey, _ downstream: SlabKey, queued: Int) {
        // What comes from elsewhere while it waits is no progress of the client.
        guard exchanges[exchange].wait.reason != .writing else { return }
        let now = driver.now
        if exchanges[exchange].pace.direction == .content { stopPace(exchange, downstream) }
        exchanges[exchange].pace.start(
            .answer, at: exchanges[exchange].sentBytes &- queued, now: now,
            limits: downstreams[downstream].listener.answerPace)
        let idle = downstreams[downstream].listener.writeIdleTimeout
        exchanges[exchange].wait.reason = .writing
        exchanges[exchange].wait.isMarked = false
        exchanges[exchange].wait.idleDeadline = now.advanced(by: idle)
        exchanges[exchange].wait.deadline = min(now.advanced(by: idle / 2), exchanges[exchange].pace.halfway)
    }

    // MARK: Deadlines

    /// The content has not come in time, or not fast enough, if it is not here unseen: then we are late, not the client.
    mutating func onSlowContent(_ exchange: SlabKey, _ downstream: SlabKey) {
        let now = driver.now
        let limits = downstreams[downstream].listener.contentPace
        let isPatient = exchanges[exchange].pace.settle(
            at: exchanges[exchange].requestContentBytes, now: now, limits: limits)
        let isIdle = exchanges[exchange].wait.idleDeadline <= now
        guard isIdle || !isPatient else {
            exchanges[exchange].wait.deadline = min(
                exchanges[exchange].wait.idleDeadline, exchanges[exchange].pace.deadline)
            armWait(exchange, downstream)
            return
        }
        if !exchanges[exchange].wait.isMarked, !driver.isQuiet(downstreams[downstream].socket, peek: true) {
            exchanges[exchange].wait.isMarked = true
            exchanges[exchange].wait.deadline = now.advanced(by: 1_000_000_000)
            armWait(exchange, downstream)
            return
        }
        downstreams[downstream].closes = true
        failExchange(exchange, isIdle ? .bodyTimeout : .bodyTooSlow)
    }

    /// What is queued for the client is still there. What counts is what reached it: the kernel takes more only when a good part
    /// of its buffer is free again, which a client that reads slowly, but reads, may need minutes for.
    mutating func onSlowReader(_ exchange: SlabKey, _ downstream: SlabKey) {
        let now = driver.now
        let socket = downstreams[downstream].socket
        let listener = downstreams[downstream].listener
        let sent = exchanges[exchange].sentBytes
        let delivered = sent &- driver.undeliveredBytes(socket)
        if !exchanges[exchange].wait.isMarked {
            // The first look: from here on there is something to compare with.
            let taken = sent &- driver.queuedBytes(socket)
            _ = exchanges[exchange].pace.settle(at: taken, now: now, limits: listener.answerPace)
            exchanges[exchange].pace.recount(from: delivered)
            exchanges[exchange].wait.isMarked = true
            exchanges[exchange].wait.count = delivered
        } else {
            if delivered > exchanges[exchange].wait.count {
                exchanges[exchange].wait.count = delivered
                exchanges[exchange].wait.idleDeadline = now.advanced(by: listener.writeIdleTimeout)
            }
            let isPatient = exchanges[exchange].pace.settle(at: delivered, now: now, limits: listener.answerPace)
            let isIdle = exchanges[exchange].wait.idleDeadline <= now
            if isIdle || !isPatient {
                exchanges[exchange].code = isIdle ? .writeTimeout : .readTooSlow
                closeDownstream(downstream, abort: true)
                return
            }
        }
        exchanges[exchange].wait.deadline = min(
            exchanges[exchange].wait.idleDeadline, exchanges[exchange].pace.deadline)
        armWait(exchange, downstream)
    }
}
