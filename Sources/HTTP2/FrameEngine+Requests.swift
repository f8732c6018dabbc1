package import Containers
package import HTTP

/// What came of beginning a request.
package enum RequestStart: Sendable, Equatable {
    case started(UInt32)
    /// Nothing was written: there is not enough tailroom.
    case noRoom
    /// As many streams are open as the peer allows: one has to end first.
    case noStream
    /// The peer takes no more streams, or their numbers are used up: another connection is needed.
    case closing
}

/// The heads that a client sends.
extension FrameEngine {
    /// Streams that we open at most before the peer says how many it allows. RFC 9113 section 6.5.2 recommends 100 at least, but a
    /// server that takes fewer refuses the others, and each new connection would begin like that: further ones wait for its
    /// SETTINGS, which come first.
    private static let streamsBeforeSettings = 1

    /// Whether another connection is needed for a new request.
    package var isClosing: Bool {
        goAwayReceived != nil || failure != nil || nextStream > 0x7FFF_FFFF
    }

    /// Streams that may be opened now.
    package var streamsLeft: Int {
        if isClosing { return 0 }
        let most =
            peer.concurrentStreams ?? (hasPeerSettings ? StreamTable.most : Self.streamsBeforeSettings)
        return max(0, min(most, StreamTable.most) - openStreams)
    }

    /// Begins a request, as `RequestEncoder` would write it.
    ///
    /// - Parameters:
    ///   - bytes: what `head` was parsed from; method, query and field lines are taken from it.
    ///   - path: what stands before the query; empty means `*` for the asterisk form and `/` for the others.
    ///   - additions: whole lines, `Name: value CRLF` each.
    ///   - framing: of the content that follows.
    ///   - upgrade: an extended CONNECT for a WebSocket (RFC 8441), for which the peer must have `allowsConnect`.
    ///   - end: no content follows.
    package mutating func beginRequest(
        bytes: Span<UInt8>, head: borrowing RequestHead, path: Span<UInt8>, host: Span<UInt8>,
        additions: Span<UInt8>, framing: BodyFraming, isSecure: Bool, upgrade: Bool = false,
        acceptsTrailers: Bool = false, sendExpect: Bool = false, end: Bool, _ tables: borrowing HPACKTables,
        _ output: inout Buffer
    ) throws(UnsafeBytes) -> RequestStart {
        if isClosing || (upgrade && !peer.allowsConnect) { return .closing }
        if streamsLeft == 0 { return .noStream }
        guard ByteScan.isVisible(path), ByteScan.isVisible(host) else { throw UnsafeBytes() }
        let room = head.byteCount &+ 2 &* additions.count &+ path.count &+ host.count
        guard FrameEngine.blockRoom(room, head.fields.count) <= output.tailroom else { return .noRoom }
        let stream = nextStream
        var new = Stream(id: stream, sendWindow: peer.streamWindow, receiveWindow: local.streamWindow)
        if end { new.flags.insert(.localEnded) }
        if upgrade { new.flags.insert(.isTunnel) }
        if head.method == .head { new.flags.insert(.isHead) }
        guard streams.open(new) != nil else { return .noStream }
        nextStream = stream &+ 2
        counters.streams &+= 1
        let start = beginBlock(&output)
        appendPseudoFields(bytes, head, path, host, isSecure, upgrade, &output)
        encoder.append(head.fields, of: bytes, tables, to: &output)
        if additions.count > 0 { encoder.append(additions: additions, tables, to: &output) }
        if case .length(let length) = framing { FieldEncoder.append(contentLength: length, to: &output) }
        if sendExpect { encoder.append(literal: "expect", "100-continue", to: &output) }
        if acceptsTrailers && !upgrade { encoder.append(literal: "te", "trailers", to: &output) }
        endBlock(stream, isEnd: end, from: start, &output)
        return .started(stream)
    }

    private mutating func appendPseudoFields(
        _ bytes: Span<UInt8>, _ head: borrowing RequestHead, _ path: Span<UInt8>, _ host: Span<UInt8>,
        _ isSecure: Bool, _ upgrade: Bool, _ output: inout Buffer
    ) {
        if upgrade {
            encoder.append(literal: ":method", "CONNECT", to: &output)
            encoder.append(literal: ":protocol", "websocket", to: &output)
        } else if head.method == .get {
            output.append(0x82)
        } else if head.method == .post {
            output.append(0x83)
        } else {
            encoder.append(name: 2, value: bytes.extracting(head.methodRange.range), to: &output)
        }
        output.append(isSecure ? 0x87 : 0x86)
        encoder.append(authority: host, to: &output)
        appendPath(bytes, head, path, &output)
    }

    /// `:path` in parts: path, `?`, query.
    private func appendPath(
        _ bytes: Span<UInt8>, _ head: borrowing RequestHead, _ path: Span<UInt8>, _ output: inout Buffer
    ) {
        let query = head.query.map { Int($0.count) &+ 1 } ?? 0
        if path.count == 1 && path[0] == 0x2F && query == 0 {
            output.append(0x84)
            return
        }
        FieldEncoder.append(4, flags: 0, mask: 0x0F, to: &output)
        FieldEncoder.append(max(1, path.count) &+ query, flags: 0, mask: 0x7F, to: &output)
        if path.count > 0 {
            output.append(path)
        } else {
            output.append(head.form == .asterisk ? 0x2A : 0x2F)
        }
        if let range = head.query {
            output.append(0x3F)
            output.append(bytes.extracting(range.range))
        }
    }
}

/// A path or host has bytes that no field may have: the last check before they are written.
package struct UnsafeBytes: Error, Equatable {}
