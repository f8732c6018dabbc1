package import Containers
import HTTP

/// DATA, and the windows for it (RFC 9113 sections 5.2 and 6.1).
extension FrameEngine {
    @inline(__always)
    mutating func beginData(
        _ header: FrameHeader, _ bytes: Span<UInt8>, _ at: inout Int, _ output: inout Buffer
    ) -> HTTP2Event? {
        var content = header.length
        var behind = 0
        if header.flags & FrameFlags.padded != 0 {
            guard header.length > 0 else { return fail(.frameSizeError, .frameSize, &output) }
            guard bytes.count &- at > FrameHeader.count else { return HTTP2Event.none }
            behind = Int(bytes[at &+ FrameHeader.count])
            guard behind < header.length else { return fail(.protocolError, .padding, &output) }
            content &-= behind &+ 1
            at &+= 1
        }
        at &+= FrameHeader.count
        counters.frames &+= 1
        if isIdle(header.stream) {
            return fail(.protocolError, header.stream == 0 ? .frameStream : .idleStream, &output)
        }
        receiveWindow &-= header.length
        if receiveWindow < 0 { return fail(.flowControlError, .windowExceeded, &output) }
        left = content
        padding = behind
        let isEnd = header.flags & FrameFlags.endStream != 0
        if content == 0 && !isEnd {
            if let event = countEmpty(&output) { return event }
        } else {
            emptyInRow = 0
        }
        guard let place = streams.find(header.stream) else {
            skipFrame(header.length, &output)
            guard isIgnored(header.stream) else { return fail(.streamClosed, .closedStream, &output) }
            return closed.admits(header.length) ? nil : countIgnored(&output)
        }
        if let event = refuseData(header, content, place, &output) { return event }
        if header.flags & FrameFlags.padded != 0 { giveBack(behind &+ 1, place, &output) }
        dataStream = header.stream
        dataPlace = place
        dataIsEnd = isEnd
        if content == 0 && !isEnd {
            left = padding
            phase = .skip
        } else {
            counters.messageFrames &+= 1
            phase = .data
        }
        return nil
    }

    /// Whether the stream cannot take a frame; then it is reset, and the frame passed over.
    @inline(__always)
    private mutating func refuseData(
        _ header: FrameHeader, _ content: Int, _ place: Int, _ output: inout Buffer
    ) -> HTTP2Event? {
        let stream = header.stream
        if streams.slots[place].flags.contains(.remoteEnded) {
            skipFrame(header.length, &output)
            return streamError(stream, .streamClosed, &output)
        }
        streams.slots[place].receiveWindow &-= Int32(truncatingIfNeeded: header.length)
        if streams.slots[place].receiveWindow < 0 {
            skipFrame(header.length, &output)
            return streamError(stream, .flowControlError, &output)
        }
        if !isServer && !streams.slots[place].flags.contains(.answered) {
            skipFrame(header.length, &output)
            return malformed(stream, .content, &output)
        }
        if streams.slots[place].contentLeft >= 0 {
            streams.slots[place].contentLeft &-= content
            let left = streams.slots[place].contentLeft
            if left < 0 || (left > 0 && header.flags & FrameFlags.endStream != 0) {
                skipFrame(header.length, &output)
                return malformed(stream, .contentLength, &output)
            }
        }
        return nil
    }

    /// Passes over the frame that was begun; the connection's window for all of it is given back.
    private mutating func skipFrame(_ length: Int, _ output: inout Buffer) {
        left &+= padding
        phase = .skip
        giveBack(length, nil, &output)
    }

    @inline(__always)
    mutating func takeData(_ bytes: Span<UInt8>, _ at: inout Int) -> HTTP2Event {
        let count = min(left, bytes.count &- at)
        if count == 0 && left > 0 { return HTTP2Event.none }
        let range = ByteRange(start: at, count: count)
        at &+= count
        left &-= count
        if left > 0 { return .data(stream: dataStream, range, end: false) }
        left = padding
        phase = padding > 0 ? .skip : .header
        if dataIsEnd { endRemote(dataPlace) }
        return .data(stream: dataStream, range, end: dataIsEnd)
    }

    /// So many bytes of content of a stream, which may be gone, were passed on or thrown away: the peer may send as many again.
    package mutating func consumed(_ stream: UInt32, _ count: Int, _ output: inout Buffer) {
        giveBack(count, streams.find(stream), &output)
    }

    /// As `consumed` for the connection's window alone: content came, and waits under its stream's window.
    package mutating func consumedOfConnection(_ count: Int, _ output: inout Buffer) {
        giveBackToConnection(count, &output)
    }

    /// As `consumed` for the stream's window alone.
    package mutating func consumedOfStream(_ stream: UInt32, _ count: Int, _ output: inout Buffer) {
        if let place = streams.find(stream) { giveBackToStream(count, place, &output) }
    }

    @inline(__always)
    mutating func giveBack(_ count: Int, _ place: Int?, _ output: inout Buffer) {
        giveBackToConnection(count, &output)
        if let place { giveBackToStream(count, place, &output) }
    }

    /// Windows are told when half of one was used. Without tailroom that waits for the next time.
    @inline(__always)
    private mutating func giveBackToConnection(_ count: Int, _ output: inout Buffer) {
        unreturned &+= count
        if unreturned &* 2 >= max(65_535, local.connectionWindow), output.tailroom >= FrameWriter.windowUpdateCount {
            FrameWriter.windowUpdate(0, unreturned, to: &output)
            receiveWindow &+= unreturned
            unreturned = 0
        }
    }

    @inline(__always)
    private mutating func giveBackToStream(_ count: Int, _ place: Int, _ output: inout Buffer) {
        guard !streams.slots[place].flags.contains(.remoteEnded) else { return }
        streams.slots[place].unreturned &+= Int32(truncatingIfNeeded: count)
        let held = Int(streams.slots[place].unreturned)
        if held &* 2 >= local.streamWindow, output.tailroom >= FrameWriter.windowUpdateCount {
            FrameWriter.windowUpdate(streams.slots[place].id, held, to: &output)
            streams.slots[place].receiveWindow &+= streams.slots[place].unreturned
            streams.slots[place].unreturned = 0
        }
    }

    // MARK: - Sending

    /// Bytes of content that one DATA frame of a stream may have now; 0 for a stream that is gone or ended.
    package func sendable(_ stream: UInt32) -> Int {
        guard let place = streams.find(stream), !streams.slots[place].flags.contains(.localEnded) else { return 0 }
        return max(0, min(peer.frameSize, sendWindow, Int(streams.slots[place].sendWindow)))
    }

    /// Whether the connection's window has room.
    package var hasWindow: Bool { sendWindow > 0 }

    /// Whether a stream's own window has room; not for one that is gone.
    package func hasWindow(_ stream: UInt32) -> Bool {
        guard let place = streams.find(stream) else { return false }
        return streams.slots[place].sendWindow > 0
    }

    /// Puts a DATA frame's header before content. False, and nothing done, when there is no headroom, or more content than
    /// `sendable` says; an empty frame that ends the stream needs no window.
    package mutating func prependDataHeader(_ stream: UInt32, end: Bool, to content: inout Buffer) -> Bool {
        guard content.headroom >= FrameHeader.count, let place = take(content.count, of: stream, end: end) else {
            return false
        }
        let header = FrameWriter.header(
            content.count, FrameType.data, end ? FrameFlags.endStream : 0, stream)
        content.prepend(header.span)
        if end { endLocal(place) }
        return true
    }

    /// The same in front of content that is appended to an output; the tailroom must be there for both.
    package mutating func appendDataHeader(
        _ stream: UInt32, _ count: Int, end: Bool, to output: inout Buffer
    ) -> Bool {
        guard output.tailroom &- FrameHeader.count >= count, let place = take(count, of: stream, end: end) else {
            return false
        }
        FrameWriter.header(count, FrameType.data, end ? FrameFlags.endStream : 0, stream, to: &output)
        if end { endLocal(place) }
        return true
    }

    @inline(__always)
    private mutating func take(_ count: Int, of stream: UInt32, end: Bool) -> Int? {
        guard let place = streams.find(stream), !streams.slots[place].flags.contains(.localEnded) else { return nil }
        if count > 0 {
            guard count <= min(peer.frameSize, sendWindow, Int(streams.slots[place].sendWindow)) else { return nil }
            sendWindow &-= count
            streams.slots[place].sendWindow &-= Int32(truncatingIfNeeded: count)
            streams.slots[place].stalledSince = .max
        }
        counters.dataFramesSent &+= 1
        return place
    }

    /// A stream has content and no window. It is stalled from the first such moment until some of its content is sent.
    package mutating func markStalled(_ stream: UInt32, now: Instant) {
        guard let place = streams.find(stream) else { return }
        streams.slots[place].stalledSince = min(streams.slots[place].stalledSince, now.nanoseconds)
    }

    /// A stream that was stalled for too long: to be reset with CANCEL.
    package func stalledStream(now: Instant) -> UInt32? {
        for place in 0..<streams.slots.count where streams.slots[place].id != 0 {
            let since = Instant(nanoseconds: streams.slots[place].stalledSince)
            if since != .never && now.since(since) >= limits.stall { return streams.slots[place].id }
        }
        return nil
    }

    /// When the next stream will have been stalled for too long; `never` when none is.
    package var stallDeadline: Instant {
        var first = Int64.max
        for place in 0..<streams.slots.count where streams.slots[place].id != 0 {
            first = min(first, streams.slots[place].stalledSince)
        }
        return Instant(nanoseconds: first).advanced(by: limits.stall)
    }
}
