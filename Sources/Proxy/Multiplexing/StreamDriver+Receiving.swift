import Containers
import EventLoop
import HTTP
import HTTP2

/// From bytes of connections to the news of streams.
extension StreamDriver where Base: ~Copyable {
    /// Bytes of a connection have come. What they mean is told by `nextStreamEvent`.
    mutating func receive(_ key: SlabKey, _ buffer: consuming Buffer) {
        guard multiplexers.contains(key), !multiplexers[key].isOver else {
            base.buffers.give(buffer)
            return
        }
        if let old = multiplexers[key].input.take() {
            var joined = base.buffers.take(atLeast: old.count &+ buffer.count)
            joined.append(old)
            joined.append(buffer)
            base.buffers.give(old)
            base.buffers.give(buffer)
            multiplexers[key].input = consume joined
        } else {
            multiplexers[key].input = consume buffer
        }
        readable.append(key)
    }

    /// What is queued for the peer is sent: waiting streams go on, and so does reading.
    mutating func onConnectionDrained(_ key: SlabKey) {
        guard multiplexers.contains(key) else { return }
        multiplexers[key].frames.outputWasSent()
        pumpWaiting(key)
        guard multiplexers[key].isHeldUp else { return }
        multiplexers[key].isHeldUp = false
        if !multiplexers[key].isResting { base.resume(multiplexers[key].socket) }
        readable.append(key)
    }

    /// The next news. Nil: there is none, or a connection's has to wait until it is drained.
    mutating func nextStreamEvent() -> StreamEvent? {
        while true {
            if let stream = noted.popFirst() {
                if let event = takeNews(stream) { return .socket(event) }
                continue
            }
            guard let key = readable.popFirst() else { return nil }
            if spentShare >= Self.turnShare {
                rest(key)
                continue
            }
            let event = read(key)
            // Everybody says one thing after the other; and news of streams come before the next bytes.
            if hasInput(key) { readable.append(key) }
            if let event { return event }
        }
    }

    private mutating func rest(_ key: SlabKey) {
        guard hasInput(key), !multiplexers[key].isResting else { return }
        multiplexers[key].isResting = true
        base.pause(multiplexers[key].socket)
        resting.append(key)
        markDirty(key)
    }

    /// A new turn: those who had to wait have a share of their own, whatever the others had to say.
    mutating func endRest() {
        if resting.isEmpty { return }
        spentShare = 0
        while let key = resting.popFirst() {
            guard multiplexers.contains(key) else { continue }
            multiplexers[key].isResting = false
            if !multiplexers[key].isHeldUp { base.resume(multiplexers[key].socket) }
            readable.append(key)
        }
    }

    private mutating func hasInput(_ key: SlabKey) -> Bool {
        multiplexers.contains(key) && !multiplexers[key].isHeldUp && multiplexers[key].input != nil
    }

    /// One piece of news; the stream stays noted while it has more.
    private mutating func takeNews(_ stream: SlabKey) -> IOEvent? {
        guard streams.contains(stream) else { return nil }
        streams[stream].isNoted = false
        let socket = Self.socket(stream)
        if streams[stream].isGone, !streams[stream].holdsWholeAnswer {
            if streams[stream].toldGone { return nil }
            streams[stream].toldGone = true
            return .failed(socket, streams[stream].isRefused ? .refused : .reset)
        }
        if streams[stream].isDrained {
            streams[stream].isDrained = false
            if !streams[stream].isPaused && hasUntold(stream) { note(stream) }
            return .drained(socket)
        }
        if streams[stream].isPaused { return nil }
        if let buffer = streams[stream].inbound.take() {
            if streams[stream].sawEnd { note(stream) }
            giveBack(stream, buffer.count)
            return .data(socket, buffer)
        }
        guard streams[stream].sawEnd, !streams[stream].toldEnd else { return nil }
        streams[stream].toldEnd = true
        return .endOfStream(socket)
    }

    private mutating func hasUntold(_ stream: SlabKey) -> Bool {
        streams[stream].inbound != nil || streams[stream].sawEnd && !streams[stream].toldEnd
    }

    /// Content of a stream is with the worker: the peer may send as much again.
    private mutating func giveBack(_ stream: SlabKey, _ count: Int) {
        giveBack(streams[stream].connection, streams[stream].id, count)
    }

    mutating func giveBack(_ key: SlabKey, _ id: UInt32, _ count: Int) {
        guard multiplexers.contains(key), !multiplexers[key].isOver else { return }
        var output = takeOutput(key, room: 64)
        if multiplexers[key].frames.isServer {
            multiplexers[key].frames.consumed(id, count, &output)
        } else {
            multiplexers[key].frames.consumedOfStream(id, count, &output)
        }
        keepOutput(key, output)
    }

    /// An answer's content waits under its stream's window alone: clients that read slowly would else use up the window that they
    /// share with all others on a connection to an upstream. On a client's connection all streams are its own.
    private mutating func giveBackToConnection(_ key: SlabKey, _ count: Int) {
        guard count > 0, !multiplexers[key].isOver, !multiplexers[key].frames.isServer else { return }
        var output = takeOutput(key, room: 64)
        multiplexers[key].frames.consumedOfConnection(count, &output)
        keepOutput(key, output)
    }

    /// The next event of a connection's bytes. Nil: there is none, or one that only streams' news come of.
    private mutating func read(_ key: SlabKey) -> StreamEvent? {
        guard multiplexers.contains(key), !multiplexers[key].isHeldUp, !holdsUp(key),
            var input = multiplexers[key].input.take()
        else { return nil }
        var output = takeOutput(key, room: FrameEngine.replyRoom)
        section.limits = multiplexers[key].fieldLimits
        var at = 0
        let event = multiplexers[key].frames.next(
            input.span, &at, now: base.now, tables, into: &section, &output)
        keepOutput(key, output)
        spentShare &+= Self.cost(event, bytes: at)
        if case .data(let id, let range, let isEnd) = event {
            takeContent(key, id, input, range, isEnd: isEnd)
            keepInput(key, input, from: at)
            return nil
        }
        if event == .none {
            input.dropFirst(at)
            if input.isEmpty {
                base.buffers.give(input)
            } else {
                base.unread(multiplexers[key].socket, input)
            }
            return nil
        }
        keepInput(key, input, from: at)
        return take(event, key)
    }

    /// Whether answers wait for a client that does not read them: neither are its requests read then. A server is always read: two
    /// gateways in a row that both waited for the other to read would wait for ever.
    private mutating func holdsUp(_ key: SlabKey) -> Bool {
        guard multiplexers[key].frames.isServer, isCongested(key) else { return false }
        multiplexers[key].isHeldUp = true
        base.pause(multiplexers[key].socket)
        return true
    }

    private mutating func keepInput(_ key: SlabKey, _ input: consuming Buffer, from count: Int) {
        input.dropFirst(count)
        // The engine may have more to say of an end without bytes: what is empty is kept for that.
        multiplexers[key].input = consume input
    }

    private mutating func take(_ event: HTTP2Event, _ key: SlabKey) -> StreamEvent? {
        switch event {
        case .none, .data, .pong, .outputFull:
            break
        case .settingsChanged:
            pumpAll(key)
            if !multiplexers[key].frames.isServer { return .roomier(owner: multiplexers[key].owner) }
        case .request(let id, let isEnd):
            if let stream = open(key, id, isEnd: isEnd) {
                return .request(stream, owner: multiplexers[key].owner, isEnd: isEnd)
            }
        case .refused(let id, let code, let isEnd):
            if let stream = find(key, id) { return .tooLarge(Self.socket(stream), code) }
            if multiplexers[key].frames.isServer, let stream = open(key, id, isEnd: isEnd) {
                return .refused(stream, owner: multiplexers[key].owner, code)
            }
        case .response(let id, let isEnd):
            if let stream = find(key, id) {
                streams[stream].sawEnd = isEnd
                streams[stream].toldEnd = isEnd
                return .response(Self.socket(stream), isEnd: isEnd)
            }
        case .interim(let id):
            if let stream = find(key, id) { return .interim(Self.socket(stream)) }
        case .trailers(let id):
            if let stream = find(key, id) {
                streams[stream].sawEnd = true
                if !streams[stream].isPaused { note(stream) }
                return .trailers(Self.socket(stream))
            }
        case .reset(let id, let code, let isByPeer):
            if let stream = find(key, id) {
                streams[stream].isGone = true
                streams[stream].isRefused = isByPeer && code == HTTP2Error.refusedStream.rawValue
                note(stream)
            }
        case .malformed(let id, _):
            if let stream = find(key, id) {
                streams[stream].isGone = true
                note(stream)
            }
        case .windowOpened(let id):
            if id == 0 { pumpWaiting(key) } else if let stream = find(key, id) { pump(stream) }
        case .goAway:
            return .goingAway(owner: multiplexers[key].owner, isServer: multiplexers[key].frames.isServer)
        case .failed(let code, let reason):
            noteFailure(key, reason)
            multiplexers[key].isOver = true
            if let input = multiplexers[key].input.take() { base.buffers.give(input) }
            return .over(
                owner: multiplexers[key].owner, isServer: multiplexers[key].frames.isServer,
                isFlood: code == .enhanceYourCalm)
        }
        return nil
    }

    private mutating func open(_ key: SlabKey, _ id: UInt32, isEnd: Bool) -> SocketID? {
        if let stream = insertStream(key, id) {
            streams[stream].sawEnd = isEnd
            streams[stream].toldEnd = isEnd
            return Self.socket(stream)
        }
        var output = takeOutput(key, room: 64)
        _ = multiplexers[key].frames.reset(id, .refusedStream, &output)
        keepOutput(key, output)
        return nil
    }

    /// DATA: told at once, unless the worker wants none; kept then.
    private mutating func takeContent(
        _ key: SlabKey, _ id: UInt32, _ input: borrowing Buffer, _ range: ByteRange, isEnd: Bool
    ) {
        let count = Int(range.count)
        giveBackToConnection(key, count)
        guard let stream = find(key, id), !streams[stream].isGone else {
            giveBack(key, id, count)
            return
        }
        if isEnd { streams[stream].sawEnd = true }
        if count > 0 { keepContent(stream, input, range.range) }
        if !streams[stream].isPaused { note(stream) }
    }

    private mutating func keepContent(_ stream: SlabKey, _ input: borrowing Buffer, _ range: Range<Int>) {
        guard var held = streams[stream].inbound.take() else {
            var fresh = base.buffers.take(atLeast: max(range.count, BufferPool.headBytes &+ 1))
            fresh.append(input, range)
            streams[stream].inbound = consume fresh
            return
        }
        if held.tailroom < range.count {
            var larger = base.buffers.take(atLeast: max(2 &* held.count, held.count &+ range.count))
            larger.append(held)
            swap(&held, &larger)
            base.buffers.give(larger)
        }
        held.append(input, range)
        streams[stream].inbound = consume held
    }
}
