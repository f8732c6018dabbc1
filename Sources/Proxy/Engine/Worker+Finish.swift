import Containers
import EventLoop
import HTTP
import HTTP1
import Telemetry

/// Every way in which an exchange ends.
extension Worker where Driver: ~Copyable {
    /// After a timeout: whoever was too slow once is not waited for again.
    static var lingerSlow: Int64 { 500_000_000 }

    /// The exchange cannot go on: an answer when none has begun, else a visible break.
    mutating func failExchange(_ exchange: SlabKey, _ code: ErrorCode) {
        exchanges[exchange].code = code
        unpark(exchange)
        dropUpstream(exchange)
        guard exchanges[exchange].isResponseStarted else {
            reply(exchange, code)
            return
        }
        let downstream = exchanges[exchange].downstream
        let needsReset = exchanges[exchange].downstreamFraming == .untilClose || exchanges[exchange].isStreamed
        retire(exchange)
        guard downstreams.contains(downstream) else { return }
        downstreams[downstream].exchange = .none
        if needsReset {
            // A client that reads until the end could take a plain end for the answer's (RFC 9112 section 8).
            closeDownstream(downstream, abort: true)
        } else {
            linger(downstream)
        }
    }

    /// Lets go of everything upstream: the connection (broken off when a request is half sent), the queue, the counts.
    mutating func dropUpstream(_ exchange: SlabKey) {
        leaveQueue(exchange)
        endRetry(exchange)
        exchanges[exchange].inFlight.end()
        let session = exchanges[exchange].session
        exchanges[exchange].session = .none
        guard sessions.contains(session) else { return }
        sessions[session].exchange = .none
        closeSession(session, abort: true)
    }

    /// The answer is complete and with the kernel.
    mutating func finishExchange(_ exchange: SlabKey) {
        let downstream = exchanges[exchange].downstream
        let isComplete = exchanges[exchange].isRequestComplete
        if exchanges[exchange].isResponseComplete, !isComplete, sessions.contains(exchanges[exchange].session) {
            dropUpstream(exchange)
        }
        let isSlow = exchanges[exchange].wasTooSlow
        retire(exchange)
        guard downstreams.contains(downstream) else { return }
        downstreams[downstream].exchange = .none
        if downstreams[downstream].closes || !isComplete {
            linger(downstream, isSlow: isSlow)
            return
        }
        setDownstreamTimer(downstream, after: downstreams[downstream].awaitRequest(now: driver.now))
        if downstreams[downstream].pending == nil {
            if downstreams[downstream].sawEnd { makeRunnable(downstream) }
            resumeDownstream(downstream)
        } else {
            // Pipelined requests are here already: no more is read before they are used up, or one small request after the
            // other would each let another large receive in.
            makeRunnable(downstream)
        }
    }

    /// Ends our direction and reads the rest away, so that the answer is not lost to a reset (RFC 9112 section 9.6).
    mutating func linger(_ downstream: SlabKey, isSlow: Bool = false) {
        if downstreams[downstream].isStream {
            lingerStream(downstream)
            return
        }
        if let pending = downstreams[downstream].pending.take() { driver.buffers.give(pending) }
        driver.shutdownWrite(downstreams[downstream].socket)
        if downstreams[downstream].sawEnd, driver.queuedBytes(downstreams[downstream].socket) == 0 {
            closeDownstream(downstream)
            return
        }
        downstreams[downstream].phase = .lingering
        downstreams[downstream].since = driver.now
        downstreams[downstream].isSlow = isSlow
        let listener = downstreams[downstream].listener
        setDownstreamTimer(
            downstream,
            after: isSlow ? Self.lingerSlow : min(listener.lingerIdleTimeout, listener.lingerTimeout))
        resumeDownstream(downstream)
    }

    /// The client still sends: it may be in the middle of an upload whose refusal it reads only afterwards.
    mutating func extendLinger(_ downstream: SlabKey) {
        guard !downstreams[downstream].isSlow else { return }
        let spent = driver.now.since(downstreams[downstream].since)
        let listener = downstreams[downstream].listener
        setDownstreamTimer(
            downstream, after: min(listener.lingerIdleTimeout, max(0, listener.lingerTimeout &- spent)))
    }

    /// The client is gone: the upstream's work is stopped.
    mutating func abandonExchange(_ exchange: SlabKey) {
        if exchanges[exchange].code == .none, !exchanges[exchange].isResponseComplete {
            exchanges[exchange].code = .clientClosed
        }
        unpark(exchange)
        dropUpstream(exchange)
        retire(exchange)
    }

    /// Writes the log line and frees what the exchange held.
    mutating func retire(_ exchange: SlabKey) {
        if exchanges[exchange].tunnel != .none { leaveTunnel(exchange) }
        if exchanges[exchange].hasCode { counters.note(exchanges[exchange].code) }
        logExchange(exchange)
        if let bytes = exchanges[exchange].requestBytes.take() { driver.buffers.give(bytes) }
        if let head = exchanges[exchange].upstreamHead.take() { driver.buffers.give(head) }
        chunks.discard(exchanges[exchange].requestChunks)
        chunks.discard(exchanges[exchange].responseChunks)
        chainSlots.discard(exchanges[exchange].slots)
        let use = exchanges[exchange].snapshot
        exchanges.discard(exchange)
        releaseSnapshot(use)
    }
}
