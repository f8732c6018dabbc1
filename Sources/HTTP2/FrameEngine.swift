package import Containers
import HTTP

/// Frames, streams, flow control and limits of one connection, for both sides (RFC 9113).
///
/// Bytes in, one event at a time out; answers go into an output. Whoever calls keeps what was not taken of the received bytes,
/// with room for `inputRoom` in all.
package struct FrameEngine: ~Copyable {
    /// What the next byte belongs to.
    enum Phase: Sendable { case preface, header, data, block, settings, skip }

    package let isServer: Bool
    let local: LocalSettings
    package let limits: FloodLimits
    package internal(set) var peer = PeerSettings()
    package internal(set) var counters = FloodCounters()
    var decoder: FieldDecoder
    var encoder = FieldEncoder()
    var streams = StreamTable()
    var closed = ClosedStreams()

    var phase: Phase
    var prefaceCount = 0
    /// Bytes of the frame that were not taken, without padding behind them.
    var left = 0
    var padding = 0
    /// The frame's, of DATA.
    var dataStream: UInt32 = 0
    var dataPlace = 0
    var dataIsEnd = false

    /// A field block that does not stand in one piece in what was received.
    var block: Buffer?
    /// Its stream until END_HEADERS; else 0.
    var blockStream: UInt32 = 0
    /// Of HEADERS, END_HEADERS of the last frame too.
    var blockFlags: UInt8 = 0
    var blockFrames = 0

    /// The last stream that a client opened.
    var lastStream: UInt32 = 0
    /// The stream that a client opens next.
    var nextStream: UInt32 = 1
    /// Streams behind it are not served any more.
    var lastServed = UInt32.max
    /// What the peer's GOAWAY said.
    package internal(set) var goAwayReceived: UInt32?
    /// Streams behind it have to be told as reset.
    var droppedAbove: UInt32?

    var sendWindow = 65_535
    var receiveWindow = 65_535
    var unreturned = 0
    /// Before the settings that are being read.
    var formerStreamWindow = 65_535
    /// The peer's settings have come.
    package internal(set) var hasPeerSettings = false
    /// SETTINGS frames of ours that the peer has not acknowledged.
    package internal(set) var unacknowledgedSettings = 0

    var resetRate = RateCounter()
    var pingRate = RateCounter()
    var settingsRate = RateCounter()
    var emptyInRow = 0
    var unreadReplies = 0
    var failure: HTTP2Event?

    /// Tailroom without which nothing is read: for the answers that one frame may have.
    package static let replyRoom = 64
    /// Bytes that must be able to stand together in what was received.
    package static let inputRoom = FrameHeader.count + Self.wholeBlock
    /// Blocks of fields up to this length are waited for, longer ones kept.
    static let wholeBlock = 4_096

    package init(isServer: Bool, settings: LocalSettings = LocalSettings(), limits: FloodLimits = FloodLimits()) {
        self.isServer = isServer
        local = settings
        self.limits = limits
        decoder = FieldDecoder(tableSize: settings.tableSize)
        phase = isServer ? .preface : .header
    }

    /// Tailroom that `start` needs.
    package static let startCount = 24 + LocalSettings.byteCount

    /// Writes what the side begins with, a client its preface too; before anything else.
    package mutating func start(_ output: inout Buffer) {
        if !isServer { output.append(Self.prefaceBytes) }
        local.append(isServer: isServer, to: &output)
        unacknowledgedSettings &+= 1
        receiveWindow = max(65_535, local.connectionWindow)
    }

    /// Streams that are not closed.
    package var openStreams: Int { streams.count }

    /// Everything that was written into outputs so far has reached the peer's side.
    package mutating func outputWasSent() { unreadReplies = 0 }

    /// The next event of what was received from `at` on.
    package mutating func next(
        _ bytes: Span<UInt8>, _ at: inout Int, now: Instant, _ tables: borrowing HPACKTables,
        into section: inout FieldSection, _ output: inout Buffer
    ) -> HTTP2Event {
        if let failure { return failure }
        if let limit = droppedAbove, let event = dropStream(above: limit) { return event }
        while true {
            if output.tailroom < Self.replyRoom { return .outputFull }
            let event: HTTP2Event?
            switch phase {
            case .header: event = beginFrame(bytes, &at, now, tables, &section, &output)
            case .data: return takeData(bytes, &at)
            case .skip: event = skip(bytes, &at)
            case .block: event = takeBlock(bytes, &at, tables, &section, &output)
            case .settings: event = takeSettings(bytes, &at, &output)
            case .preface: event = takePreface(bytes, &at, &output)
            }
            if let event { return event }
        }
    }

    /// Nil: whatever comes next is looked at.
    @inline(__always)
    private mutating func beginFrame(
        _ bytes: Span<UInt8>, _ at: inout Int, _ now: Instant, _ tables: borrowing HPACKTables,
        _ section: inout FieldSection, _ output: inout Buffer
    ) -> HTTP2Event? {
        guard bytes.count &- at >= FrameHeader.count else { return HTTP2Event.none }
        let header = FrameHeader(bytes, at: at)
        if header.length > LocalSettings.frameSize { return fail(.frameSizeError, .frameSize, &output) }
        if blockStream != 0 {
            // RFC 9113 section 6.10: nothing may stand between the frames of a block.
            guard header.type == FrameType.continuation, header.stream == blockStream else {
                return fail(.protocolError, .frameOrder, &output)
            }
            return beginContinuation(header, &at, &output)
        }
        switch header.type {
        case FrameType.data where hasPeerSettings: return beginData(header, bytes, &at, &output)
        case FrameType.headers where hasPeerSettings:
            return beginHeaders(header, bytes, &at, tables, &section, &output)
        default: return beginControl(header, bytes, &at, now, &output)
        }
    }

    private mutating func skip(_ bytes: Span<UInt8>, _ at: inout Int) -> HTTP2Event? {
        let count = min(left, bytes.count &- at)
        at &+= count
        left &-= count
        if left > 0 { return HTTP2Event.none }
        phase = .header
        return nil
    }

    private static let preface: InlineArray<24, UInt8> = [
        0x50, 0x52, 0x49, 0x20, 0x2A, 0x20, 0x48, 0x54, 0x54, 0x50, 0x2F, 0x32, 0x2E, 0x30, 0x0D, 0x0A, 0x0D, 0x0A,
        0x53,
        0x4D, 0x0D, 0x0A, 0x0D, 0x0A,
    ]

    /// The 24 bytes that a client begins with (RFC 9113 section 3.4).
    static var prefaceBytes: StaticString { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" }

    /// Bytes of the preface's first line, which tell it from every request of HTTP/1.1.
    package static var prefaceLineCount: Int { 16 }

    /// Whether a connection's first bytes are that line, or as much of it as has come.
    package static func beginsLikePreface(_ bytes: Span<UInt8>) -> Bool {
        for index in 0..<min(bytes.count, prefaceLineCount) where bytes[index] != preface[index] { return false }
        return true
    }

    private mutating func takePreface(
        _ bytes: Span<UInt8>, _ at: inout Int, _ output: inout Buffer
    ) -> HTTP2Event? {
        while prefaceCount < Self.preface.count {
            guard at < bytes.count else { return HTTP2Event.none }
            guard bytes[at] == Self.preface[prefaceCount] else { return fail(.protocolError, .preface, &output) }
            at &+= 1
            prefaceCount &+= 1
        }
        phase = .header
        return nil
    }

    // MARK: - Ends

    /// Ends the connection.
    @inline(never)
    mutating func fail(_ code: HTTP2Error, _ reason: FailureReason, _ output: inout Buffer) -> HTTP2Event {
        FrameWriter.goAway(last: isServer ? min(lastStream, lastServed) : 0, code.rawValue, to: &output)
        let event = HTTP2Event.failed(code, reason)
        failure = event
        return event
    }

    /// Resets a stream for what the peer did. Too many such streams end a client's connection, for each costs us more than
    /// the client. A server only answers what we ask, and each time one of our clients wanted that: the others' answers on
    /// the connection have nothing to do with it.
    @inline(never)
    mutating func resetForPeer(
        _ stream: UInt32, _ code: HTTP2Error, _ event: HTTP2Event, _ output: inout Buffer
    ) -> HTTP2Event {
        FrameWriter.reset(stream, code.rawValue, to: &output)
        if let place = streams.find(stream) { close(place, .byUs) } else { closeUnopened(stream) }
        counters.streamErrors &+= 1
        if isServer && counters.streamErrors > limits.streamErrors {
            return fail(.enhanceYourCalm, .streamErrors, &output)
        }
        return countReply(&output) ?? event
    }

    mutating func streamError(_ stream: UInt32, _ code: HTTP2Error, _ output: inout Buffer) -> HTTP2Event {
        resetForPeer(stream, code, .reset(stream: stream, code: code.rawValue, isByPeer: false), &output)
    }

    mutating func malformed(_ stream: UInt32, _ reason: MalformedReason, _ output: inout Buffer) -> HTTP2Event {
        counters.malformed &+= 1
        return resetForPeer(stream, .protocolError, .malformed(stream: stream, reason), &output)
    }

    /// Counts an answer that is kept until the peer reads.
    mutating func countReply(_ output: inout Buffer) -> HTTP2Event? {
        unreadReplies &+= 1
        return unreadReplies > limits.unreadReplies ? fail(.enhanceYourCalm, .unreadReplies, &output) : nil
    }

    /// Counts a frame that is passed over.
    mutating func countIgnored(_ output: inout Buffer) -> HTTP2Event? {
        counters.ignoredFrames &+= 1
        let isTooMuch = counters.ignoredFrames > limits.ignoredFrames &+ 8 &* counters.streams
        return isTooMuch ? fail(.enhanceYourCalm, .ignoredFrames, &output) : nil
    }

    mutating func countEmpty(_ output: inout Buffer) -> HTTP2Event? {
        counters.emptyFrames &+= 1
        emptyInRow &+= 1
        return emptyInRow > limits.emptyFrames ? fail(.enhanceYourCalm, .emptyFrames, &output) : nil
    }

    mutating func close(_ place: Int, _ ending: ClosedStreams.Ending) {
        let isHalf = ending == .byUs && !streams.slots[place].flags.contains(.remoteEnded)
        let window = isHalf ? max(0, Int(streams.slots[place].receiveWindow)) : 0
        closed.append(streams.slots[place].id, ending, window: window)
        streams.close(place)
    }

    /// A stream that never was in the table is reset or passed over: its peer may have sent what the first window allows.
    mutating func closeUnopened(_ stream: UInt32) { closed.append(stream, .byUs, window: local.streamWindow) }

    /// The peer has ended its direction.
    @inline(__always)
    mutating func endRemote(_ place: Int) {
        streams.slots[place].flags.insert(.remoteEnded)
        if streams.slots[place].flags.contains(.localEnded) { close(place, .byPeer) }
    }

    /// We have ended ours.
    @inline(__always)
    mutating func endLocal(_ place: Int) {
        streams.slots[place].flags.insert(.localEnded)
        if streams.slots[place].flags.contains(.remoteEnded) { close(place, .byPeer) }
    }

    /// Whether nobody has opened a stream yet.
    @inline(__always)
    func isIdle(_ stream: UInt32) -> Bool {
        stream & 1 == 0 || (isServer ? stream > lastStream : stream >= nextStream)
    }

    /// Whether frames of a stream that is not open are passed over: it was reset by us, or came behind our GOAWAY.
    ///
    /// Any number of streams may be reset while frames of theirs are on the way. So a forgotten one is no error where it may
    /// be one of those; a client has opened every stream below its next one.
    func isIgnored(_ stream: UInt32) -> Bool {
        if stream > lastServed { return true }
        guard let ending = closed.ending(of: stream) else { return !isServer || closed.hasForgottenReset }
        return ending == .byUs
    }

    private mutating func dropStream(above limit: UInt32) -> HTTP2Event? {
        for place in 0..<streams.slots.count where streams.slots[place].id > limit {
            let stream = streams.slots[place].id
            close(place, .byUs)
            return .reset(stream: stream, code: HTTP2Error.refusedStream.rawValue, isByPeer: true)
        }
        droppedAbove = nil
        return nil
    }
}
