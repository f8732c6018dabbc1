package import Containers
package import HTTP

/// What came of sending something.
package enum SendOutcome: Sendable, Equatable {
    case sent
    /// Nothing was written: there is not enough tailroom.
    case noRoom
    /// The stream is closed, or our direction of it.
    case gone
}

extension FrameEngine {
    /// Resets a stream. What of its content is on the way is passed over.
    package mutating func reset(_ stream: UInt32, _ code: HTTP2Error, _ output: inout Buffer) -> SendOutcome {
        guard let place = streams.find(stream) else { return .gone }
        guard output.tailroom >= FrameWriter.resetCount + FrameWriter.windowUpdateCount else { return .noRoom }
        FrameWriter.reset(stream, code.rawValue, to: &output)
        if phase == .data && dataStream == stream {
            giveBack(left, nil, &output)
            left &+= padding
            phase = .skip
        }
        close(place, .byUs)
        return .sent
    }

    /// Announces the end: the peer should open no more streams, and those on the way are served still.
    package mutating func shutdownNotice(_ output: inout Buffer) -> SendOutcome {
        guard output.tailroom >= FrameWriter.goAwayCount else { return .noRoom }
        FrameWriter.goAway(last: 0x7FFF_FFFF, HTTP2Error.noError.rawValue, to: &output)
        return .sent
    }

    /// Ends the taking of streams: those opened so far are served, later ones passed over.
    package mutating func goAway(_ code: HTTP2Error, _ output: inout Buffer) -> SendOutcome {
        guard output.tailroom >= FrameWriter.goAwayCount else { return .noRoom }
        lastServed = min(lastServed, lastStream)
        FrameWriter.goAway(last: isServer ? lastServed : 0, code.rawValue, to: &output)
        return .sent
    }

    /// Asks for a sign of life; the same payload comes back as `pong`.
    package mutating func ping(_ payload: UInt64, _ output: inout Buffer) -> SendOutcome {
        guard output.tailroom >= FrameHeader.count + 8 else { return .noRoom }
        FrameWriter.header(8, FrameType.ping, 0, 0, to: &output)
        output.append(littleEndian: payload.byteSwapped)
        return .sent
    }

    /// Whether the peer has sent all content that it announced, and not said yet that this was all.
    package func awaitsOnlyEnd(_ stream: UInt32) -> Bool {
        guard let place = streams.find(stream), streams.slots[place].contentLeft == 0 else { return false }
        return !streams.slots[place].flags.contains(.remoteEnded)
    }

    /// Ends our direction with trailers; `lines` that are removed are not sent.
    package mutating func sendTrailers(
        _ stream: UInt32, _ lines: borrowing FixedArray<FieldLine>, of bytes: Span<UInt8>,
        _ tables: borrowing HPACKTables, _ output: inout Buffer
    ) -> SendOutcome {
        guard let place = sendable(at: stream) else { return .gone }
        guard Self.blockRoom(bytes.count, lines.count) <= output.tailroom else { return .noRoom }
        let start = beginBlock(&output)
        encoder.append(lines, of: bytes, tables, to: &output)
        endTrailers(stream, from: start, &output)
        endLocal(place)
        return .sent
    }

    /// The same with whole lines, `Name: value CRLF` each.
    package mutating func sendTrailers(
        _ stream: UInt32, additions: Span<UInt8>, _ tables: borrowing HPACKTables, _ output: inout Buffer
    ) -> SendOutcome {
        guard let place = sendable(at: stream) else { return .gone }
        guard Self.blockRoom(2 * additions.count, 0) <= output.tailroom else { return .noRoom }
        let start = beginBlock(&output)
        encoder.append(additions: additions, tables, to: &output)
        endTrailers(stream, from: start, &output)
        endLocal(place)
        return .sent
    }

    /// Without a line that may be sent they are an end without trailers: nginx takes an empty field block for a broken rule.
    private mutating func endTrailers(_ stream: UInt32, from start: Int, _ output: inout Buffer) {
        guard output.count == start &+ FrameHeader.count else {
            endBlock(stream, isEnd: true, from: start, &output)
            return
        }
        output.keepFirst(start)
        FrameWriter.header(0, FrameType.data, FrameFlags.endStream, stream, to: &output)
    }

    /// The place of a stream whose direction from us is open.
    @inline(__always)
    func sendable(at stream: UInt32) -> Int? {
        guard let place = streams.find(stream), !streams.slots[place].flags.contains(.localEnded) else { return nil }
        return place
    }

    /// Tailroom with which a block of these bytes can surely be written, in frames.
    @inline(__always)
    static func blockRoom(_ bytes: Int, _ fields: Int) -> Int {
        let needed = FieldEncoder.bytesNeeded(bytes, fields: fields)
        return needed &+ FrameHeader.count &* (needed >> 14 &+ 2)
    }

    /// Begins a field block in an output; its header is written at the end.
    @inline(__always)
    mutating func beginBlock(_ output: inout Buffer) -> Int {
        let start = output.count
        output.append(littleEndian: 0)
        output.append(0)
        encoder.begin(&output)
        return start
    }

    @inline(__always)
    mutating func endBlock(_ stream: UInt32, isEnd: Bool, from start: Int, _ output: inout Buffer) {
        counters.messageFrames &+= 1
        let length = output.count &- start &- FrameHeader.count
        let flags = isEnd ? FrameFlags.endStream : 0
        if length > peer.frameSize {
            splitBlock(stream, flags, from: start, &output)
            return
        }
        output[start] = UInt8(truncatingIfNeeded: length >> 16)
        output[start &+ 1] = UInt8(truncatingIfNeeded: length >> 8)
        output[start &+ 2] = UInt8(truncatingIfNeeded: length)
        output[start &+ 3] = FrameType.headers
        output[start &+ 4] = flags | FrameFlags.endHeaders
        output[start &+ 5] = UInt8(truncatingIfNeeded: stream >> 24)
        output[start &+ 6] = UInt8(truncatingIfNeeded: stream >> 16)
        output[start &+ 7] = UInt8(truncatingIfNeeded: stream >> 8)
        output[start &+ 8] = UInt8(truncatingIfNeeded: stream)
    }

    /// More than the peer takes in one frame.
    @inline(never)
    private mutating func splitBlock(_ stream: UInt32, _ flags: UInt8, from start: Int, _ output: inout Buffer) {
        var block = Buffer(capacity: output.count - start)
        block.append(output, (start + FrameHeader.count)..<output.count)
        output.keepFirst(start)
        var type = FrameType.headers
        var rest = flags
        while !block.isEmpty {
            let count = min(peer.frameSize, block.count)
            if count == block.count { rest |= FrameFlags.endHeaders }
            FrameWriter.header(count, type, rest, stream, to: &output)
            output.append(block, 0..<count)
            block.dropFirst(count)
            type = FrameType.continuation
            rest = 0
        }
    }
}
