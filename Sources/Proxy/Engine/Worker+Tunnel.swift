import Containers
import EventLoop
import HTTP
import HTTP1
import Middleware
import Telemetry
import WebSocket

/// WebSocket connections after a validated 101: frames are followed, never changed.
///
/// A direction is read only while nothing is queued for the other one. We end a tunnel with a close frame of our own where the
/// position in the stream is between two frames, and with the connection's end otherwise.
extension Worker where Driver: ~Copyable {
    /// After our close frame the peers have so long to close.
    private static var closeGrace: Int64 { 5_000_000_000 }

    /// A 101 came. Only one that answers the handshake we sent opens a tunnel (RFC 6455 section 4.1).
    mutating func switchProtocols(_ exchange: SlabKey, _ key: SlabKey, _ buffer: consuming Buffer) {
        guard exchanges[exchange].isWebSocket, response.head.isWebSocketSwitch, acceptsHandshake(exchange, buffer)
        else {
            driver.buffers.give(buffer)
            failExchange(exchange, .upgradeFailed)
            return
        }
        let downstream = exchanges[exchange].downstream
        guard downstreams.contains(downstream), let route = exchanges[exchange].route,
            sendSwitch(exchange, downstream, &buffer)
        else {
            driver.buffers.give(buffer)
            failExchange(exchange, .internalError)
            return
        }
        buffer.dropFirst(response.head.byteCount)
        exchanges[exchange].upstreamStatus = 101
        exchanges[exchange].status = 101
        exchanges[exchange].isResponseStarted = true
        exchanges[exchange].phase = .tunnel
        exchanges[exchange].keepsSession = false
        exchanges[exchange].totalDeadline = .never
        enterTunnel(exchange, downstream, key, route)
        downstreams[downstream].phase = .tunnel
        timers.remove(Owner.upstreamTimer(key))
        forgetSnapshot(exchange)
        if let head = exchanges[exchange].upstreamHead.take() { driver.buffers.give(head) }
        if case .draining(let until) = phase { drainTunnel(exchange, within: until.since(driver.now)) }
        armTunnelTimer(exchange, downstream)
        let tunnel = exchanges[exchange].tunnel
        if buffer.isEmpty {
            driver.buffers.give(buffer)
        } else {
            relayFromUpstream(tunnel, sessions[key].socket, buffer)
        }
        guard exchanges.contains(exchange), downstreams.contains(downstream) else { return }
        resumeDownstream(downstream)
        if let pending = downstreams[downstream].pending.take() {
            relayFromClient(tunnel, downstreams[downstream].socket, pending)
        }
    }

    /// What the two connections receive from here on is the tunnel's.
    private mutating func enterTunnel(
        _ exchange: SlabKey, _ downstream: SlabKey, _ session: SlabKey, _ route: RouteState
    ) {
        let client = Tunnel.Side(socket: downstreams[downstream].socket, session: downstream)
        let upstream = Tunnel.Side(socket: sessions[session].socket, session: session)
        let tunnel = Tunnel(
            exchange: exchange, client: client, upstream: upstream, messageLimit: route.webSocketMessageLimit,
            idleTimeout: route.webSocketIdleTimeout, pingInterval: route.webSocketPingInterval, now: driver.now)
        // There is a place for every exchange that can be.
        guard let key = tunnels.insert(tunnel) else { return }
        counters.tunnels &+= 1
        exchanges[exchange].tunnel = key
        driver.setOwner(client.socket, Owner.tunnelClient(key))
        driver.setOwner(upstream.socket, Owner.tunnelUpstream(key))
    }

    /// The tunnel of an exchange, if there is one, is over: the exchange gets its sums, and what is left of the two connections is on
    /// its own again.
    mutating func leaveTunnel(_ exchange: SlabKey) {
        guard let tunnel = tunnels.remove(exchanges[exchange].tunnel) else { return }
        exchanges[exchange].noteTunnel(fromClient: tunnel.client.received, fromUpstream: tunnel.upstream.received)
        driver.setOwner(tunnel.client.socket, Owner.downstream(tunnel.client.session))
        driver.setOwner(tunnel.upstream.socket, Owner.upstream(tunnel.upstream.session))
    }

    private mutating func acceptsHandshake(_ exchange: SlabKey, _ buffer: borrowing Buffer) -> Bool {
        // On a stream there is nothing to prove (RFC 8441 section 5).
        if exchanges[exchange].comesOnStream { return true }
        guard let key = exchanges[exchange].webSocketKey else { return false }
        return WebSocketHandshake.isAccepted(
            buffer.span.extracting(response.head.secWebSocketAccept.range), for: key.span)
    }

    private mutating func sendSwitch(_ exchange: SlabKey, _ downstream: SlabKey, _ buffer: inout Buffer) -> Bool {
        response.additions.removeAll()
        response.isLocal = false
        response.now = driver.now
        swap(&response.bytes, &buffer)
        runResponsePhase(exchange)
        if exchanges[exchange].comesOnStream { addWebSocketAccept(exchange) }
        if exchanges[exchange].isStreamed {
            let isSent = sendStreamSwitch(exchange)
            swap(&response.bytes, &buffer)
            return isSent
        }
        date.update(seconds: driver.wallClockSeconds)
        var out = driver.buffers.take(atLeast: response.head.byteCount + response.additions.span.count + 512)
        let isEncoded =
            (try? ResponseEncoder.append(
                to: &out, bytes: response.bytes.span, head: response.head, additions: response.additions.span,
                framing: .none, connection: .upgrade, clientMinorVersion: 1, date: date.bytes.span,
                checksAdditions: false)) ?? false
        swap(&response.bytes, &buffer)
        guard isEncoded else {
            driver.buffers.give(out)
            return false
        }
        exchanges[exchange].sentBytes = out.count
        driver.send(downstreams[downstream].socket, out, more: false)
        return true
    }

    /// A tunnel may live for days: it has copied its limits and lets the snapshot go.
    private mutating func forgetSnapshot(_ exchange: SlabKey) {
        let use = exchanges[exchange].snapshot
        guard use != current else { return }
        noteLogNames(exchange)
        snapshots[current].uses &+= 1
        exchanges[exchange].snapshot = current
        exchanges[exchange].route = nil
        releaseSnapshot(use)
    }

    // MARK: Bytes

    mutating func onTunnelData(_ owner: UInt64, _ socket: SocketID, _ buffer: consuming Buffer) {
        let key = tunnels.key(at: Owner.place(owner)) ?? .none
        if Owner.isTunnelClient(owner) {
            relayFromClient(key, socket, buffer)
        } else {
            relayFromUpstream(key, socket, buffer)
        }
    }

    /// Deadlines that count from the last activity are not moved here: when such a one comes up, it is seen how long the tunnel has been
    /// silent.
    private mutating func relayFromClient(_ key: SlabKey, _ socket: SocketID, _ buffer: consuming Buffer) {
        guard tunnels.contains(key) else {
            driver.buffers.give(buffer)
            return
        }
        do throws(WebSocketFailure) {
            guard let target = try tunnels[key].follow(fromClient: buffer.span, source: socket, now: driver.now) else {
                driver.buffers.give(buffer)
                return
            }
            driver.sendInTurn(target, buffer)
            if driver.queuedBytes(target) > 0 { pauseDownstream(tunnels[key].client.session) }
        } catch {
            refuseFrame(key, buffer, error, isFromClient: true)
        }
    }

    private mutating func relayFromUpstream(_ key: SlabKey, _ socket: SocketID, _ buffer: consuming Buffer) {
        guard tunnels.contains(key) else {
            driver.buffers.give(buffer)
            return
        }
        do throws(WebSocketFailure) {
            guard let target = try tunnels[key].follow(fromUpstream: buffer.span, source: socket, now: driver.now)
            else {
                driver.buffers.give(buffer)
                return
            }
            driver.sendInTurn(target, buffer)
            if driver.queuedBytes(target) > 0 { pauseSession(tunnels[key].upstream.session) }
        } catch {
            refuseFrame(key, buffer, error, isFromClient: false)
        }
    }

    /// A breach: what stands before it is relayed, then the tunnel ends.
    @inline(never)
    private mutating func refuseFrame(
        _ key: SlabKey, _ buffer: consuming Buffer, _ failure: WebSocketFailure, isFromClient: Bool
    ) {
        let (client, upstream) = (tunnels[key].client, tunnels[key].upstream)
        buffer.keepFirst(failure.relayable)
        driver.send(isFromClient ? upstream.socket : client.socket, buffer, more: false)
        // What is at fault may stand behind a close frame, and nothing of ours may either (RFC 6455 section 5.5.1).
        let isClosed = isFromClient ? tunnels[key].fromClient.isClosed : tunnels[key].fromUpstream.isClosed
        if failure.isAtBorder, !isClosed {
            if isFromClient {
                sendClose(failure.code, toUpstream: upstream.session)
            } else {
                sendClose(failure.code, toClient: client.session)
            }
        }
        closeTunnel(tunnels[key].exchange, failure.code, fromClientFault: isFromClient)
    }

    // MARK: Ends

    mutating func onClientTunnelEnd(_ downstream: SlabKey) {
        let exchange = downstreams[downstream].exchange
        guard exchanges.contains(exchange) else {
            closeDownstream(downstream)
            return
        }
        let key = exchanges[exchange].tunnel
        let session = exchanges[exchange].session
        guard tunnels.contains(key), sessions.contains(session), !tunnels[key].upstreamEnded else {
            endTunnel(exchange)
            return
        }
        tunnels[key].clientEnded = true
        driver.shutdownWrite(sessions[session].socket)
        tunnels[key].closeAt = driver.now.advanced(by: Self.closeGrace)
        armTunnelTimer(exchange, downstream)
    }

    /// The upstream ended its direction: the client is told why, unless a close frame said so.
    mutating func onUpstreamTunnelEnd(_ exchange: SlabKey, _ session: SlabKey) {
        let downstream = exchanges[exchange].downstream
        let key = exchanges[exchange].tunnel
        guard downstreams.contains(downstream), tunnels.contains(key) else { return }
        // A connection may end and then break: what the client still says has nowhere to go.
        guard !tunnels[key].clientEnded, !tunnels[key].upstreamEnded else {
            endTunnel(exchange)
            return
        }
        if !tunnels[key].fromUpstream.isClosed, !tunnels[key].isClosing {
            if tunnels[key].mayWriteToClient { sendClose(.internalError, toClient: downstream) }
            exchanges[exchange].code = .connectionTerminated
        }
        tunnels[key].upstreamEnded = true
        driver.shutdownWrite(downstreams[downstream].socket)
        tunnels[key].closeAt = driver.now.advanced(by: Self.closeGrace)
        armTunnelTimer(exchange, downstream)
    }

    /// Ends a tunnel from our side. Close frames for the side at fault were sent already.
    private mutating func closeTunnel(_ exchange: SlabKey, _ code: WebSocketCloseCode, fromClientFault: Bool?) {
        let key = exchanges[exchange].tunnel
        guard tunnels.contains(key), tunnels[key].close(at: driver.now.advanced(by: Self.closeGrace)) else { return }
        if exchanges[exchange].code == .none, code == .messageTooBig { exchanges[exchange].code = .messageTooBig }
        let downstream = exchanges[exchange].downstream
        let session = exchanges[exchange].session
        if fromClientFault != false, downstreams.contains(downstream), tunnels[key].mayWriteToClient {
            sendClose(code, toClient: downstream)
        }
        if fromClientFault != true, sessions.contains(session), tunnels[key].mayWriteToUpstream {
            sendClose(code, toUpstream: session)
        }
        if downstreams.contains(downstream) {
            driver.shutdownWrite(downstreams[downstream].socket)
            resumeDownstream(downstream)
            armTunnelTimer(exchange, downstream)
        }
        if sessions.contains(session) { driver.shutdownWrite(sessions[session].socket) }
    }

    /// Both sides are done: what is queued for the client is still sent.
    private mutating func endTunnel(_ exchange: SlabKey) {
        let downstream = exchanges[exchange].downstream
        dropUpstream(exchange)
        retire(exchange)
        guard downstreams.contains(downstream) else { return }
        downstreams[downstream].exchange = .none
        linger(downstream)
    }

    private mutating func sendClose(_ code: WebSocketCloseCode, toClient downstream: SlabKey) {
        guard downstreams.contains(downstream) else { return }
        var frame = driver.buffers.take(.head)
        _ = WebSocketFrame.appendClose(code.rawValue, mask: nil, to: &frame)
        driver.send(downstreams[downstream].socket, frame, more: false)
    }

    /// A stream's session goes with its connection, while the tunnel waits for the client's close frame.
    private mutating func sendClose(_ code: WebSocketCloseCode, toUpstream session: SlabKey) {
        guard sessions.contains(session) else { return }
        var frame = driver.buffers.take(.head)
        _ = WebSocketFrame.appendClose(code.rawValue, mask: maskKey(), to: &frame)
        driver.send(sessions[session].socket, frame, more: false)
    }

    private mutating func maskKey() -> UInt32 { UInt32(truncatingIfNeeded: random.next()) }

    // MARK: Time

    mutating func armTunnelTimer(_ exchange: SlabKey, _ downstream: SlabKey) {
        let key = exchanges[exchange].tunnel
        guard tunnels.contains(key) else { return }
        timers.set(Owner.downstreamTimer(downstream), to: tunnels[key].deadline)
    }

    mutating func onTunnelDeadline(_ exchange: SlabKey, _ downstream: SlabKey) {
        let key = exchanges[exchange].tunnel
        guard tunnels.contains(key) else { return }
        if tunnels[key].closeAt <= driver.now {
            endTunnel(exchange)
            return
        }
        let unsent =
            driver.queuedBytes(tunnels[key].client.socket) &+ driver.queuedBytes(tunnels[key].upstream.socket)
        if tunnels[key].isIdle(now: driver.now, unsent: unsent) {
            if exchanges[exchange].code == .none { exchanges[exchange].code = .idleTimeout }
            closeTunnel(exchange, .goingAway, fromClientFault: nil)
            return
        }
        if tunnels[key].drainAt <= driver.now {
            tunnels[key].drainAt = .never
            closeTunnel(exchange, .goingAway, fromClientFault: nil)
            return
        }
        if tunnels[key].takePing(now: driver.now) { sendPings(exchange, downstream) }
        armTunnelTimer(exchange, downstream)
    }

    private mutating func sendPings(_ exchange: SlabKey, _ downstream: SlabKey) {
        let key = exchanges[exchange].tunnel
        if tunnels[key].mayWriteToClient {
            var frame = driver.buffers.take(.head)
            _ = WebSocketFrame.appendPing(payload: Span(), mask: nil, to: &frame)
            driver.send(downstreams[downstream].socket, frame, more: false)
        }
        let session = exchanges[exchange].session
        if sessions.contains(session), tunnels[key].mayWriteToUpstream {
            var frame = driver.buffers.take(.head)
            _ = WebSocketFrame.appendPing(payload: Span(), mask: maskKey(), to: &frame)
            driver.send(sessions[session].socket, frame, more: false)
        }
    }

    /// Draining: the tunnel ends with 1001, spread over time so that clients do not all come back at once.
    mutating func drainTunnel(_ exchange: SlabKey, within nanoseconds: Int64) {
        let spread = max(1, min(nanoseconds / 2, 5_000_000_000) / 1_000_000)
        let delay = Int64(random.below(Int(spread))) * 1_000_000
        let key = exchanges[exchange].tunnel
        guard tunnels.contains(key) else { return }
        tunnels[key].drainAt = driver.now.advanced(by: delay)
        let downstream = exchanges[exchange].downstream
        if downstreams.contains(downstream) { armTunnelTimer(exchange, downstream) }
    }
}
