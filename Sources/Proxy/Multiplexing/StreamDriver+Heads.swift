import Containers
import EventLoop
import HTTP
import HTTP2
import Middleware

/// Heads on streams.
extension StreamDriver where Base: ~Copyable {
    /// Takes over the head of the request that was told last. The bytes go behind those of `bytes`, which must be empty.
    mutating func takeRequest(_ head: inout RequestHead, _ bytes: inout Buffer) {
        section.takeRequest(&head)
        bytes.append(section.arena.span)
    }

    /// Bytes of the section that was told last.
    var sectionCount: Int { section.arena.count }

    /// Copies the trailers that were told last.
    mutating func copyTrailers(to content: inout ChunkedContent) {
        for index in 0..<section.trailers.count where !section.trailers[index].isRemoved {
            content.appendTrailer(section.trailers[index], of: section.arena.span)
        }
    }

    /// Sends the head of an answer: for the switch to a WebSocket its status is 101. Returns its bytes; nil: the stream is gone.
    mutating func beginResponse(
        _ socket: SocketID, bytes: borrowing Buffer, head: borrowing ResponseHead,
        additions: borrowing FieldAdditions, framing: BodyFraming, date: borrowing DateText, isEnd: Bool
    ) -> Int? {
        guard let (stream, key) = open(socket) else { return nil }
        var output = takeOutput(key, room: Self.room(bytes.count, additions.span.count, head.fields.count))
        let start = output.count
        let outcome = multiplexers[key].frames.beginResponse(
            streams[stream].id, bytes: bytes.span, head: head, additions: additions.span, framing: framing,
            date: date.bytes.span, end: isEnd, tables, &output)
        let count = output.count &- start
        keepOutput(key, output)
        guard outcome == .sent else { return nil }
        if isEnd { noteEnd(stream) }
        return count
    }

    /// Sends an interim response.
    mutating func sendInterim(_ socket: SocketID, bytes: borrowing Buffer, head: borrowing ResponseHead) {
        guard let (stream, key) = open(socket) else { return }
        var output = takeOutput(key, room: Self.room(bytes.count, 0, head.fields.count))
        _ = multiplexers[key].frames.sendInterim(streams[stream].id, bytes: bytes.span, head: head, tables, &output)
        keepOutput(key, output)
    }

    private mutating func open(_ socket: SocketID) -> (SlabKey, SlabKey)? {
        let stream = Self.stream(socket)
        guard streams.contains(stream), !streams[stream].isGone else { return nil }
        let key = streams[stream].connection
        guard multiplexers.contains(key), !multiplexers[key].isOver else { return nil }
        return (stream, key)
    }

    mutating func noteEnd(_ stream: SlabKey) {
        streams[stream].endsAfterOutput = true
        streams[stream].saidEnd = true
    }

    /// Tailroom with which a head can surely be written.
    static func room(_ bytes: Int, _ additions: Int, _ fields: Int) -> Int {
        2 &* (bytes &+ 2 &* additions &+ 8 &* fields) &+ 1_024
    }
}
