import Containers
import EventLoop
import HTTP
import HTTP2

/// Content of streams to the peer, and their ends.
extension StreamDriver where Base: ~Copyable {
    /// Bytes queued on a connection's socket with which streams wait for their turn.
    private static var congestion: Int { 65_536 }
    /// The same in buffers: of these the base driver has as many for each socket, and who has none to spare loses its connection.
    private static var congestedBuffers: Int { 4 }
    /// Content up to this length is copied behind what else goes out.
    private static var copied: Int { 4_096 }

    /// Whether the peer reads so slowly that nothing more is given to its connection.
    mutating func isCongested(_ key: SlabKey) -> Bool {
        let socket = multiplexers[key].socket
        if !isFull(socket) { return false }
        // Some of it may only wait for the end of the turn.
        base.flush(socket)
        return isFull(socket)
    }

    @inline(__always)
    private func isFull(_ socket: SocketID) -> Bool {
        base.queuedBytes(socket) >= Self.congestion || base.queuedBuffers(socket) >= Self.congestedBuffers
    }

    mutating func sendOnStream(_ socket: SocketID, _ buffer: consuming Buffer, more: Bool) {
        let stream = Self.stream(socket)
        guard streams.contains(stream), !streams[stream].isGone, !streams[stream].endsAfterOutput, !buffer.isEmpty
        else {
            base.buffers.give(buffer)
            return
        }
        enqueue(stream, buffer)
        if !more { pump(stream) }
    }

    /// Sends content that ends our direction.
    mutating func sendLast(_ socket: SocketID, _ buffer: consuming Buffer) {
        sendOnStream(socket, buffer, more: true)
        endStream(socket)
    }

    /// Ends our direction with trailers: whole lines.
    mutating func sendTrailers(_ socket: SocketID, _ lines: consuming Buffer) {
        let stream = Self.stream(socket)
        guard streams.contains(stream), !streams[stream].isGone, streams[stream].trailers == nil else {
            base.buffers.give(lines)
            return
        }
        streams[stream].trailers = consume lines
        endStream(socket)
    }

    /// Ends our direction behind what is queued.
    mutating func endStream(_ socket: SocketID) {
        let stream = Self.stream(socket)
        guard streams.contains(stream), !streams[stream].isGone, !streams[stream].endsAfterOutput else { return }
        streams[stream].endsAfterOutput = true
        pump(stream)
    }

    mutating func flushStream(_ socket: SocketID) {
        let stream = Self.stream(socket)
        if streams.contains(stream), streams[stream].queuedBytes > 0 { pump(stream) }
    }

    private mutating func enqueue(_ stream: SlabKey, _ buffer: consuming Buffer) {
        let count = buffer.count
        guard let node = outputs.insert(StreamOutput(buffer: buffer)) else {
            failSending(stream)
            return
        }
        streams[stream].queuedBytes &+= count
        let last = streams[stream].lastOutput
        streams[stream].lastOutput = Int32(truncatingIfNeeded: node.index)
        if let key = outputs.key(at: Int(last)) {
            outputs[key].next = Int32(truncatingIfNeeded: node.index)
        } else {
            streams[stream].firstOutput = Int32(truncatingIfNeeded: node.index)
        }
    }

    /// There is no place for its content: the stream cannot be completed.
    private mutating func failSending(_ stream: SlabKey) {
        streams[stream].isGone = true
        note(stream)
        let key = streams[stream].connection
        guard multiplexers.contains(key) else { return }
        var output = takeOutput(key, room: 64)
        _ = multiplexers[key].frames.reset(streams[stream].id, .internalError, &output)
        keepOutput(key, output)
    }

    /// Sends all of a stream that may be sent now. What may not waits for its turn.
    mutating func pump(_ stream: SlabKey) {
        let key = streams[stream].connection
        guard multiplexers.contains(key), !multiplexers[key].isOver, !streams[stream].isGone else { return }
        while sendFrame(stream, key) {}
        settle(stream, key)
    }

    /// What is left of a stream waits; a worker that waits for the opposite is told of it.
    private mutating func settle(_ stream: SlabKey, _ key: SlabKey) {
        if streams[stream].unsentCount > 0 {
            streams[stream].awaitsDrain = true
            if !streams[stream].isWaiting { enlist(stream, key) }
        } else if streams[stream].awaitsDrain {
            streams[stream].awaitsDrain = false
            streams[stream].isDrained = true
            note(stream)
        }
    }

    /// Puts a stream where whatever holds it up finds it. Its own window does so by its number: if thousands that wait for that
    /// stood in the queue, each update of the connection's window would look at all of them in vain.
    private mutating func enlist(_ stream: SlabKey, _ key: SlabKey) {
        if streams[stream].queuedBytes == 0 {
            multiplexers[key].waitingEnds.append(stream)
        } else if multiplexers[key].frames.hasWindow(streams[stream].id) {
            multiplexers[key].waiting.append(stream)
        } else {
            return
        }
        streams[stream].isWaiting = true
    }

    /// The connection or its window has room: the ends that wait, then one frame of each stream with content in turn, as long as
    /// that is so.
    mutating func pumpWaiting(_ key: SlabKey) {
        while !multiplexers[key].waitingEnds.isEmpty, !isCongested(key) {
            if let stream = multiplexers[key].waitingEnds.popFirst() { pumpOnce(stream, key) }
        }
        while !multiplexers[key].waiting.isEmpty, multiplexers[key].frames.hasWindow, !isCongested(key) {
            if let stream = multiplexers[key].waiting.popFirst() { pumpOnce(stream, key) }
        }
    }

    private mutating func pumpOnce(_ stream: SlabKey, _ key: SlabKey) {
        guard streams.contains(stream) else { return }
        streams[stream].isWaiting = false
        if streams[stream].isGone { return }
        _ = sendFrame(stream, key)
        settle(stream, key)
    }

    /// The windows of all streams may have changed.
    mutating func pumpAll(_ key: SlabKey) {
        var place = Int(multiplexers[key].firstStream)
        while let stream = streams.key(at: place) {
            place = Int(streams[stream].next)
            if streams[stream].queuedBytes > 0 { pump(stream) }
        }
    }

    /// Sends one frame of a stream. False: it has none, no window, or the connection no room.
    private mutating func sendFrame(_ stream: SlabKey, _ key: SlabKey) -> Bool {
        guard !streams[stream].saidEnd, !isCongested(key) else { return false }
        guard let node = outputs.key(at: Int(streams[stream].firstOutput)) else {
            return streams[stream].endsAfterOutput && sendEnd(stream, key)
        }
        let id = streams[stream].id
        let room = multiplexers[key].frames.sendable(id)
        let available = outputs[node].buffer.count
        let count = min(room, available)
        guard count > 0 else { return false }
        let isLast =
            count == streams[stream].queuedBytes && streams[stream].endsAfterOutput && streams[stream].trailers == nil
        if isLast { streams[stream].saidEnd = true }
        if count == available {
            guard let removed = takeFirst(stream, node) else { return false }
            send(removed, id, key, end: isLast)
        } else {
            copyFront(count, of: node, id, key, end: isLast)
            streams[stream].queuedBytes &-= count
        }
        return true
    }

    private mutating func takeFirst(_ stream: SlabKey, _ node: SlabKey) -> Buffer? {
        guard let removed = outputs.remove(node) else { return nil }
        streams[stream].queuedBytes &-= removed.buffer.count
        streams[stream].firstOutput = removed.next
        if removed.next < 0 { streams[stream].lastOutput = -1 }
        return removed.buffer
    }

    /// A whole buffer as one frame.
    private mutating func send(_ buffer: consuming Buffer, _ id: UInt32, _ key: SlabKey, end: Bool) {
        if buffer.count > Self.copied, multiplexers[key].frames.prependDataHeader(id, end: end, to: &buffer) {
            if let output = multiplexers[key].output.take() {
                base.send(multiplexers[key].socket, output, more: true)
            }
            base.send(multiplexers[key].socket, buffer, more: true)
            markDirty(key)
            return
        }
        var output = takeOutput(key, room: buffer.count &+ 16)
        if multiplexers[key].frames.appendDataHeader(id, buffer.count, end: end, to: &output) { output.append(buffer) }
        base.buffers.give(buffer)
        keepOutput(key, output)
    }

    /// The front of a buffer as one frame: the peer takes no more at once.
    private mutating func copyFront(_ count: Int, of node: SlabKey, _ id: UInt32, _ key: SlabKey, end: Bool) {
        var output = takeOutput(key, room: count &+ 16)
        if multiplexers[key].frames.appendDataHeader(id, count, end: end, to: &output) {
            output.append(outputs[node].buffer, 0..<count)
        }
        outputs[node].buffer.dropFirst(count)
        keepOutput(key, output)
    }

    private mutating func sendEnd(_ stream: SlabKey, _ key: SlabKey) -> Bool {
        let id = streams[stream].id
        streams[stream].saidEnd = true
        if let lines = streams[stream].trailers.take() {
            writeTrailers(lines, id, key)
            base.buffers.give(lines)
            return true
        }
        var output = takeOutput(key, room: 64)
        _ = multiplexers[key].frames.appendDataHeader(id, 0, end: true, to: &output)
        keepOutput(key, output)
        return true
    }

    private mutating func writeTrailers(_ lines: borrowing Buffer, _ id: UInt32, _ key: SlabKey) {
        var output = takeOutput(key, room: 4 &* lines.count &+ 1_024)
        _ = multiplexers[key].frames.sendTrailers(id, additions: lines.span, tables, &output)
        keepOutput(key, output)
    }

    // MARK: Reading and ends

    mutating func pauseStream(_ socket: SocketID) {
        let stream = Self.stream(socket)
        if streams.contains(stream) { streams[stream].isPaused = true }
    }

    mutating func resumeStream(_ socket: SocketID) {
        let stream = Self.stream(socket)
        guard streams.contains(stream), streams[stream].isPaused else { return }
        streams[stream].isPaused = false
        note(stream)
    }

    /// Whether nothing of the stream is here that the worker has not seen.
    mutating func isStreamQuiet(_ socket: SocketID, peek: Bool) -> Bool {
        let stream = Self.stream(socket)
        guard streams.contains(stream), !streams[stream].isGone, streams[stream].inbound == nil else { return false }
        let key = streams[stream].connection
        guard multiplexers.contains(key), !multiplexers[key].isOver else { return false }
        return !peek || base.isQuiet(multiplexers[key].socket, peek: true)
    }

    /// Whether the peer has sent all content that it announced, and not said yet that this was all.
    mutating func awaitsOnlyEnd(_ socket: SocketID) -> Bool {
        let stream = Self.stream(socket)
        guard streams.contains(stream), !streams[stream].isGone else { return false }
        let key = streams[stream].connection
        guard multiplexers.contains(key), !multiplexers[key].isOver else { return false }
        return multiplexers[key].frames.awaitsOnlyEnd(streams[stream].id)
    }

    /// Ends a stream at once: what is queued is dropped, and the peer is told if one of the directions is still open.
    mutating func closeStream(_ socket: SocketID) {
        let key = Self.stream(socket)
        guard var stream = streams.remove(key) else { return }
        unlink(stream.links)
        while let node = outputs.remove(outputs.key(at: Int(stream.firstOutput)) ?? .none) {
            stream.firstOutput = node.next
            base.buffers.give(node.buffer)
        }
        if let lines = stream.trailers.take() { base.buffers.give(lines) }
        var unread = 0
        if let inbound = stream.inbound.take() {
            unread = inbound.count
            base.buffers.give(inbound)
        }
        let connection = stream.connection
        guard multiplexers.contains(connection), !multiplexers[connection].isOver else { return }
        if unread > 0 { giveBack(connection, stream.id, unread) }
        guard !stream.isGone, stream.id != 0 else { return }
        var output = takeOutput(connection, room: 64)
        // RFC 9113 section 8.1: an answer before the end of the request is no error.
        let code = stream.isServer ? (stream.saidEnd ? HTTP2Error.noError : .internalError) : .cancel
        _ = multiplexers[connection].frames.reset(stream.id, code, &output)
        keepOutput(connection, output)
    }
}
