import Containers
import HTTP

/// HEADERS and CONTINUATION (RFC 9113 sections 6.2 and 6.10).
extension FrameEngine {
    /// Streams that we refuse at least before the peer has to know how many it may open.
    private static let refusedBeforeSettings = 200

    @inline(__always)
    mutating func beginHeaders(
        _ header: FrameHeader, _ bytes: Span<UInt8>, _ at: inout Int, _ tables: borrowing HPACKTables,
        _ section: inout FieldSection, _ output: inout Buffer
    ) -> HTTP2Event? {
        if header.stream & 1 == 0 {
            return fail(.protocolError, header.stream == 0 ? .frameStream : .streamParity, &output)
        }
        let least = (header.flags & FrameFlags.padded != 0 ? 1 : 0) &+ (header.flags & FrameFlags.priority != 0 ? 5 : 0)
        if header.length < least { return fail(.frameSizeError, .frameSize, &output) }
        if !isServer && isIdle(header.stream) { return fail(.protocolError, .idleStream, &output) }
        let isWhole = bytes.count &- at &- FrameHeader.count >= header.length
        if header.flags & FrameFlags.endHeaders == 0 || !isWhole {
            if !isWhole && header.length <= Self.wholeBlock { return HTTP2Event.none }
            return keepBlock(header, &at, &output)
        }
        at &+= FrameHeader.count
        counters.frames &+= 1
        emptyInRow = 0
        let payload = bytes.extracting(at..<(at &+ header.length))
        at &+= header.length
        guard let range = Self.fields(of: payload, header.flags) else { return fail(.protocolError, .padding, &output) }
        let isEnd = header.flags & FrameFlags.endStream != 0
        return takeFields(payload.extracting(range), header.stream, isEnd, tables, &section, &output)
    }

    /// Where the block stands in the payload of HEADERS; nil when there is more padding than payload.
    @inline(__always)
    private static func fields(of payload: Span<UInt8>, _ flags: UInt8) -> Range<Int>? {
        var start = 0
        var end = payload.count
        if flags & FrameFlags.padded != 0 {
            start = 1
            end &-= Int(payload[0])
        }
        if flags & FrameFlags.priority != 0 { start &+= 5 }
        return start <= end ? start..<end : nil
    }

    /// A block that is long, or in more than one frame.
    @inline(never)
    private mutating func keepBlock(
        _ header: FrameHeader, _ at: inout Int, _ output: inout Buffer
    ) -> HTTP2Event? {
        at &+= FrameHeader.count
        counters.frames &+= 1
        if header.length > limits.headerBlockBytes { return fail(.enhanceYourCalm, .headerBlock, &output) }
        block = Buffer(capacity: max(header.length, 1_024))
        blockStream = header.stream
        blockFlags = header.flags
        blockFrames = 0
        left = header.length
        phase = .block
        return nil
    }

    mutating func beginContinuation(
        _ header: FrameHeader, _ at: inout Int, _ output: inout Buffer
    ) -> HTTP2Event? {
        at &+= FrameHeader.count
        counters.frames &+= 1
        blockFrames &+= 1
        if blockFrames > limits.continuations { return fail(.enhanceYourCalm, .continuations, &output) }
        let held = block?.count ?? 0
        if held &+ header.length > limits.headerBlockBytes { return fail(.enhanceYourCalm, .headerBlock, &output) }
        blockFlags |= header.flags & FrameFlags.endHeaders
        if header.length == 0, header.flags & FrameFlags.endHeaders == 0, let event = countEmpty(&output) {
            return event
        }
        left = header.length
        phase = .block
        return nil
    }

    mutating func takeBlock(
        _ bytes: Span<UInt8>, _ at: inout Int, _ tables: borrowing HPACKTables,
        _ section: inout FieldSection, _ output: inout Buffer
    ) -> HTTP2Event? {
        let count = min(left, bytes.count &- at)
        if count == 0 && left > 0 { return HTTP2Event.none }
        append(bytes.extracting(at..<(at &+ count)))
        at &+= count
        left &-= count
        if left > 0 { return HTTP2Event.none }
        phase = .header
        guard var whole = block.take() else { return fail(.internalError, .headerBlock, &output) }
        if blockFrames == 0 {
            guard let range = Self.fields(of: whole.span, blockFlags) else {
                return fail(.protocolError, .padding, &output)
            }
            whole.keepFirst(range.upperBound)
            whole.dropFirst(range.lowerBound)
        }
        if blockFlags & FrameFlags.endHeaders == 0 {
            block = consume whole
            return nil
        }
        let stream = blockStream
        blockStream = 0
        let isEnd = blockFlags & FrameFlags.endStream != 0
        return takeFields(whole.span, stream, isEnd, tables, &section, &output)
    }

    private mutating func append(_ bytes: Span<UInt8>) {
        guard var held = block.take() else { return }
        if held.tailroom < bytes.count {
            var larger = Buffer(capacity: max(2 * held.count, held.count + bytes.count))
            larger.append(held.span)
            larger.append(bytes)
            block = consume larger
        } else {
            held.append(bytes)
            block = consume held
        }
    }

    /// A whole block of fields. It is decoded whatever it is for, to keep the table in step.
    @inline(__always)
    private mutating func takeFields(
        _ block: Span<UInt8>, _ stream: UInt32, _ isEnd: Bool, _ tables: borrowing HPACKTables,
        _ section: inout FieldSection, _ output: inout Buffer
    ) -> HTTP2Event? {
        let isNew = isServer && stream > lastStream
        let place = isNew ? nil : streams.find(stream)
        var kind = FieldSection.Kind.request
        if !isNew {
            let isResponse = place.map { !isServer && !streams.slots[$0].flags.contains(.answered) } ?? false
            kind = isResponse ? .response : .trailers
        }
        section.begin(kind, wholly: !isServer)
        counters.messageFrames &+= 1
        switch decoder.decode(block, tables, into: &section) {
        case .decoded: break
        case .broken: return fail(.compressionError, .compression, &output)
        case .tooMuch: return fail(.enhanceYourCalm, .decodedFields, &output)
        }
        if isNew { return takeRequest(stream, isEnd, &section, &output) }
        guard let place else { return takeFieldsOfClosed(stream, &output) }
        if streams.slots[place].flags.contains(.remoteEnded) { return streamError(stream, .streamClosed, &output) }
        return kind == .response
            ? takeResponse(stream, place, isEnd, &section, &output)
            : takeTrailers(stream, place, isEnd, &section, &output)
    }

    @inline(never)
    private mutating func takeFieldsOfClosed(
        _ stream: UInt32, _ output: inout Buffer
    ) -> HTTP2Event? {
        if isIgnored(stream) { return countIgnored(&output) }
        // RFC 9113 section 5.1.1: a number that was passed over can no more be used than one of the past.
        let wasOpen = closed.ending(of: stream) != nil || !isServer
        return wasOpen
            ? fail(.streamClosed, .closedStream, &output) : fail(.protocolError, .streamOrder, &output)
    }

    @inline(__always)
    private mutating func takeRequest(
        _ stream: UInt32, _ isEnd: Bool, _ section: inout FieldSection, _ output: inout Buffer
    ) -> HTTP2Event? {
        lastStream = stream
        if stream > lastServed {
            closeUnopened(stream)
            return countIgnored(&output)
        }
        counters.streams &+= 1
        if streams.count >= local.concurrentStreams { return refuseStream(stream, &output) }
        section.finishRequest(isEnd: isEnd, allowsConnect: local.allowsConnect)
        if section.fault != .none { return malformed(stream, section.fault, &output) }
        var new = Stream(id: stream, sendWindow: peer.streamWindow, receiveWindow: local.streamWindow)
        if isEnd { new.flags.insert(.remoteEnded) }
        if section.request.isWebSocketHandshake { new.flags.insert(.isTunnel) }
        if case .length(let length) = section.request.framing { new.contentLeft = length }
        guard streams.open(new) != nil else { return refuseStream(stream, &output) }
        if section.refusal != .none { return .refused(stream: stream, section.refusal, end: isEnd) }
        return .request(stream: stream, end: isEnd)
    }

    /// RFC 9113 section 5.1.2: more streams than we allow. Until the peer has read how many, that is no mistake of it; but one
    /// that never says so is not believed for ever.
    @inline(never)
    private mutating func refuseStream(_ stream: UInt32, _ output: inout Buffer) -> HTTP2Event? {
        counters.refusedStreams &+= 1
        let mayNotKnow = max(Self.refusedBeforeSettings, 2 &* local.concurrentStreams)
        if unacknowledgedSettings == 0 || counters.refusedStreams > mayNotKnow {
            let event = resetForPeer(stream, .refusedStream, HTTP2Event.none, &output)
            return event == .none ? nil : event
        }
        FrameWriter.reset(stream, HTTP2Error.refusedStream.rawValue, to: &output)
        closeUnopened(stream)
        return countReply(&output)
    }

    private mutating func takeResponse(
        _ stream: UInt32, _ place: Int, _ isEnd: Bool, _ section: inout FieldSection, _ output: inout Buffer
    ) -> HTTP2Event? {
        let flags = streams.slots[place].flags
        section.finishResponse(
            isEnd: isEnd, isHead: flags.contains(.isHead), isTunnel: flags.contains(.isTunnel))
        if section.fault != .none { return malformed(stream, section.fault, &output) }
        if section.refusal != .none {
            let event = HTTP2Event.refused(stream: stream, .responseHeadersTooLarge, end: isEnd)
            return resetForPeer(stream, .cancel, event, &output)
        }
        let isSwitch = section.response.isWebSocketSwitch
        if section.response.status < 200 && !isSwitch { return .interim(stream: stream) }
        streams.slots[place].flags.insert(.answered)
        if !isSwitch {
            streams.slots[place].flags.remove(.isTunnel)
            if section.responseHasNoContent {
                streams.slots[place].contentLeft = 0
            } else if case .length(let length) = section.response.framing {
                streams.slots[place].contentLeft = length
            }
        }
        if isEnd { endRemote(place) }
        return .response(stream: stream, end: isEnd)
    }

    private mutating func takeTrailers(
        _ stream: UInt32, _ place: Int, _ isEnd: Bool, _ section: inout FieldSection, _ output: inout Buffer
    ) -> HTTP2Event? {
        section.finishTrailers()
        if !isEnd || streams.slots[place].flags.contains(.isTunnel) { return malformed(stream, .trailers, &output) }
        if section.fault != .none { return malformed(stream, section.fault, &output) }
        if streams.slots[place].contentLeft > 0 { return malformed(stream, .contentLength, &output) }
        endRemote(place)
        if section.refusal != .none { return .refused(stream: stream, .trailersTooLarge, end: true) }
        return .trailers(stream: stream)
    }
}
