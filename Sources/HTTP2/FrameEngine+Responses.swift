package import Containers
package import HTTP

/// The heads that a server sends.
extension FrameEngine {
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
        guard let place = sendable(at: stream) else { return .gone }
        let room = head.byteCount &+ 2 &* additions.count &+ date.count
        guard FrameEngine.blockRoom(room, head.fields.count) <= output.tailroom else { return .noRoom }
        let start = beginBlock(&output)
        let isSwitch = head.status == 101
        encoder.append(status: isSwitch ? 200 : head.status, to: &output)
        encoder.append(head.fields, of: bytes, tables, to: &output)
        if additions.count > 0 { encoder.append(additions: additions, tables, to: &output) }
        if !head.hasDate && date.count > 0 { encoder.append(date: date, tables, to: &output) }
        switch framing {
        case .length(let length): FieldEncoder.append(contentLength: length, to: &output)
        case .none where !isSwitch:
            if let length = head.declaredLength { FieldEncoder.append(contentLength: length, to: &output) }
        case .none, .chunked, .untilClose: break
        }
        endBlock(stream, isEnd: end, from: start, &output)
        streams.slots[place].flags.insert(.answered)
        if end { endLocal(place) }
        return .sent
    }

    /// An interim response (1xx other than 101): no framing, no Date.
    package mutating func sendInterim(
        _ stream: UInt32, bytes: Span<UInt8>, head: borrowing ResponseHead, _ tables: borrowing HPACKTables,
        _ output: inout Buffer
    ) -> SendOutcome {
        guard sendable(at: stream) != nil else { return .gone }
        guard FrameEngine.blockRoom(head.byteCount, head.fields.count) <= output.tailroom else { return .noRoom }
        let start = beginBlock(&output)
        encoder.append(status: head.status, to: &output)
        encoder.append(head.fields, of: bytes, tables, to: &output)
        endBlock(stream, isEnd: false, from: start, &output)
        return .sent
    }
}
