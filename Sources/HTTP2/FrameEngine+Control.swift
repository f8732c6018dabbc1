import Containers
import HTTP

/// Frames that carry neither fields nor content.
extension FrameEngine {
    @inline(never)
    mutating func beginControl(
        _ header: FrameHeader, _ bytes: Span<UInt8>, _ at: inout Int, _ now: Instant, _ output: inout Buffer
    ) -> HTTP2Event? {
        if !hasPeerSettings {
            // RFC 9113 section 3.4.
            guard header.type == FrameType.settings, header.flags & FrameFlags.acknowledged == 0 else {
                return fail(.protocolError, .firstFrame, &output)
            }
        }
        if let (code, reason) = fault(of: header) { return fail(code, reason, &output) }
        // All but SETTINGS have eight bytes at most that are of interest.
        let needed = header.type == FrameType.settings || !isKnown(header) ? 0 : min(header.length, 8)
        guard bytes.count &- at &- FrameHeader.count >= needed else { return HTTP2Event.none }
        let payload = at &+ FrameHeader.count
        at = payload &+ needed
        counters.frames &+= 1
        left = header.length &- needed
        phase = left > 0 ? .skip : .header
        switch header.type {
        case FrameType.priority: return takePriority(header, &output)
        case FrameType.reset: return takeReset(header.stream, FrameHeader.word(bytes, at: payload), now, &output)
        case FrameType.settings: return beginSettings(header, now, &output)
        case FrameType.ping: return takePing(header, bytes.extracting(payload..<at), now, &output)
        case FrameType.goAway:
            return takeGoAway(
                FrameHeader.word(bytes, at: payload) & 0x7FFF_FFFF, FrameHeader.word(bytes, at: payload &+ 4), &output)
        case FrameType.windowUpdate:
            let increment = Int(FrameHeader.word(bytes, at: payload) & 0x7FFF_FFFF)
            return takeWindowUpdate(header.stream, increment, &output)
        default: return countIgnored(&output)
        }
    }

    private func isKnown(_ header: FrameHeader) -> Bool { header.type <= FrameType.continuation }

    /// What is wrong with a frame for the connection as a whole, by its header alone.
    private func fault(of header: FrameHeader) -> (HTTP2Error, FailureReason)? {
        let isForStream = header.stream != 0
        switch header.type {
        case FrameType.priority:
            if !isForStream { return (.protocolError, .frameStream) }
            // RFC 9113 section 6.3 wants a stream error, which needs a stream that can be reset.
            if header.length != 5 && streams.find(header.stream) == nil { return (.frameSizeError, .frameSize) }
        case FrameType.reset:
            if !isForStream { return (.protocolError, .frameStream) }
            if header.length != 4 { return (.frameSizeError, .frameSize) }
            if isIdle(header.stream) { return (.protocolError, .idleStream) }
        case FrameType.settings:
            if isForStream { return (.protocolError, .frameStream) }
            if header.flags & FrameFlags.acknowledged != 0 {
                if header.length != 0 { return (.frameSizeError, .frameSize) }
                if unacknowledgedSettings == 0 { return (.protocolError, .settingsAcknowledgement) }
            } else if header.length % 6 != 0 {
                return (.frameSizeError, .frameSize)
            }
        case FrameType.pushPromise: return (.protocolError, .pushPromise)
        case FrameType.ping:
            if isForStream { return (.protocolError, .frameStream) }
            if header.length != 8 { return (.frameSizeError, .frameSize) }
        case FrameType.goAway:
            if isForStream { return (.protocolError, .frameStream) }
            if header.length < 8 { return (.frameSizeError, .frameSize) }
        case FrameType.windowUpdate:
            if header.length != 4 { return (.frameSizeError, .frameSize) }
            if isForStream && isIdle(header.stream) { return (.protocolError, .idleStream) }
        case FrameType.continuation: return (.protocolError, .frameOrder)
        default: break
        }
        return nil
    }

    private mutating func takePriority(_ header: FrameHeader, _ output: inout Buffer) -> HTTP2Event? {
        counters.priorities &+= 1
        if counters.priorities > limits.priorities &+ 2 &* counters.streams {
            return fail(.enhanceYourCalm, .priorities, &output)
        }
        return header.length == 5 ? nil : streamError(header.stream, .frameSizeError, &output)
    }

    private mutating func takeReset(
        _ stream: UInt32, _ code: UInt32, _ now: Instant, _ output: inout Buffer
    ) -> HTTP2Event? {
        counters.resetsReceived &+= 1
        guard let place = streams.find(stream) else { return countIgnored(&output) }
        if isServer && !streams.slots[place].flags.contains(.answered) {
            counters.rapidResets &+= 1
            let isMost =
                counters.streams >= limits.rapidResetStreams
                && counters.rapidResets &* 100 > counters.streams &* limits.rapidResetPercent
            if isMost || resetRate.exceeds(limits.rapidResets, now: now, window: limits.window) {
                return fail(.enhanceYourCalm, .rapidResets, &output)
            }
        }
        close(place, .byPeer)
        return .reset(stream: stream, code: code, isByPeer: true)
    }

    private mutating func takePing(
        _ header: FrameHeader, _ payload: Span<UInt8>, _ now: Instant, _ output: inout Buffer
    ) -> HTTP2Event? {
        counters.pings &+= 1
        let useful = counters.messageFrames &+ counters.dataFramesSent
        if pingRate.exceeds(limits.pings, beside: useful, now: now, window: limits.window) {
            return fail(.enhanceYourCalm, .pings, &output)
        }
        if header.flags & FrameFlags.acknowledged != 0 {
            let high = UInt64(FrameHeader.word(payload, at: 0))
            return .pong(high << 32 | UInt64(FrameHeader.word(payload, at: 4)))
        }
        FrameWriter.header(8, FrameType.ping, FrameFlags.acknowledged, 0, to: &output)
        output.append(payload)
        return countReply(&output)
    }

    private mutating func takeGoAway(_ last: UInt32, _ code: UInt32, _ output: inout Buffer) -> HTTP2Event? {
        // RFC 9113 section 6.8: it may only become less.
        if let former = goAwayReceived, last > former { return fail(.protocolError, .goAway, &output) }
        goAwayReceived = last
        if !isServer { droppedAbove = last }
        return .goAway(last: last, code: code)
    }

    private mutating func takeWindowUpdate(
        _ stream: UInt32, _ increment: Int, _ output: inout Buffer
    ) -> HTTP2Event? {
        counters.windowUpdates &+= 1
        let useful = 2 &* counters.streams &+ 20 &* counters.dataFramesSent
        if counters.windowUpdates > limits.windowUpdates &+ useful {
            return fail(.enhanceYourCalm, .windowUpdates, &output)
        }
        if stream == 0 {
            if increment == 0 { return fail(.protocolError, .windowIncrement, &output) }
            let wasShut = sendWindow <= 0
            sendWindow &+= increment
            if sendWindow > LocalSettings.largestWindow { return fail(.flowControlError, .windowOverflow, &output) }
            return wasShut ? .windowOpened(stream: 0) : nil
        }
        // Behind a stream's end that is nobody's mistake (RFC 9113 section 5.1).
        guard let place = streams.find(stream) else { return nil }
        if increment == 0 { return streamError(stream, .protocolError, &output) }
        let former = Int(streams.slots[place].sendWindow)
        if former &+ increment > LocalSettings.largestWindow { return streamError(stream, .flowControlError, &output) }
        streams.slots[place].sendWindow = Int32(truncatingIfNeeded: former &+ increment)
        return former <= 0 && former &+ increment > 0 ? .windowOpened(stream: stream) : nil
    }

    // MARK: - SETTINGS

    private mutating func beginSettings(
        _ header: FrameHeader, _ now: Instant, _ output: inout Buffer
    ) -> HTTP2Event? {
        if header.flags & FrameFlags.acknowledged != 0 {
            unacknowledgedSettings &-= 1
            decoder.settingsAcknowledged()
            return nil
        }
        counters.settings &+= 1
        if settingsRate.exceeds(limits.settings, now: now, window: limits.window) {
            return fail(.enhanceYourCalm, .settings, &output)
        }
        formerStreamWindow = peer.streamWindow
        phase = .settings
        return nil
    }

    mutating func takeSettings(
        _ bytes: Span<UInt8>, _ at: inout Int, _ output: inout Buffer
    ) -> HTTP2Event? {
        while left > 0 {
            guard bytes.count &- at >= 6 else { return HTTP2Event.none }
            let name = UInt16(bytes[at]) << 8 | UInt16(bytes[at &+ 1])
            let value = FrameHeader.word(bytes, at: at &+ 2)
            at &+= 6
            left &-= 6
            if let (code, reason) = peer.take(name, value, isServer: isServer) { return fail(code, reason, &output) }
            // Each value counts, also of a parameter that comes twice.
            encoder.setPeerLimit(peer.tableSize)
        }
        phase = .header
        hasPeerSettings = true
        if peer.streamWindow != formerStreamWindow && !changeWindows(by: peer.streamWindow &- formerStreamWindow) {
            return fail(.flowControlError, .windowOverflow, &output)
        }
        FrameWriter.header(0, FrameType.settings, FrameFlags.acknowledged, 0, to: &output)
        return countReply(&output) ?? .settingsChanged
    }

    /// RFC 9113 section 6.9.2. False when a window would become too large.
    private mutating func changeWindows(by difference: Int) -> Bool {
        for place in 0..<streams.slots.count where streams.slots[place].id != 0 {
            let window = Int(streams.slots[place].sendWindow) &+ difference
            if window > LocalSettings.largestWindow { return false }
            streams.slots[place].sendWindow = Int32(truncatingIfNeeded: window)
        }
        return true
    }
}
