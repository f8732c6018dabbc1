package import Containers
package import HTTP

/// The server's side of a connection: requests come, responses go.
package struct ServerConnection: ~Copyable {
    package var frames: FrameEngine

    package init(settings: LocalSettings = LocalSettings(), limits: FloodLimits = FloodLimits()) {
        frames = FrameEngine(isServer: true, settings: settings, limits: limits)
    }

    /// Tailroom that `start` needs.
    package static let startCount = LocalSettings.byteCount

    /// Writes our settings; before anything else.
    package mutating func start(_ output: inout Buffer) { frames.start(to: &output) }

    /// Begins a response, as `ResponseEncoder` would write it. For the switch of an extended CONNECT its status is 101.
    ///
    /// - Parameters:
    ///   - bytes: what `head` was parsed from.
    ///   - additions: whole lines, `Name: value CRLF` each.
    ///   - framing: of the content as it will be sent; with `none` the length that the upstream declared is passed on.
    ///   - date: for a head that has no Date; empty to add none.
    ///   - end: no content follows.
    package mutating func beginResponse(
        _ stream: UInt32, bytes: Span<UInt8>, head: borrowing ResponseHead, additions: Span<UInt8>,
        framing: BodyFraming, date: Span<UInt8>, end: Bool, _ tables: borrowing HPACKTables, _ output: inout Buffer
    ) -> SendOutcome {
        guard let place = frames.sendable(at: stream) else { return .gone }
        let room = head.byteCount &+ 2 &* additions.count &+ date.count
        guard FrameEngine.blockRoom(room, head.fields.count) <= output.tailroom else { return .noRoom }
        let start = frames.beginBlock(&output)
        let isSwitch = head.status == 101
        frames.encoder.append(status: isSwitch ? 200 : head.status, to: &output)
        frames.encoder.append(head.fields, of: bytes, tables, to: &output)
        if additions.count > 0 { frames.encoder.append(additions: additions, tables, to: &output) }
        if !head.hasDate && date.count > 0 { frames.encoder.append(date: date, tables, to: &output) }
        switch framing {
        case .length(let length): FieldEncoder.append(contentLength: length, to: &output)
        case .none where !isSwitch:
            if let length = head.declaredLength { FieldEncoder.append(contentLength: length, to: &output) }
        case .none, .chunked, .untilClose: break
        }
        frames.endBlock(stream, isEnd: end, from: start, &output)
        frames.streams.slots[place].flags.insert(.answered)
        if end { frames.endLocal(place) }
        return .sent
    }

    /// An interim response (1xx other than 101): no framing, no Date.
    package mutating func sendInterim(
        _ stream: UInt32, bytes: Span<UInt8>, head: borrowing ResponseHead, _ tables: borrowing HPACKTables,
        _ output: inout Buffer
    ) -> SendOutcome {
        guard frames.sendable(at: stream) != nil else { return .gone }
        guard FrameEngine.blockRoom(head.byteCount, head.fields.count) <= output.tailroom else { return .noRoom }
        let start = frames.beginBlock(&output)
        frames.encoder.append(status: head.status, to: &output)
        frames.encoder.append(head.fields, of: bytes, tables, to: &output)
        frames.endBlock(stream, isEnd: false, from: start, &output)
        return .sent
    }
}
