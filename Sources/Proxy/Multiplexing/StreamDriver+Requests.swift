import Containers
import EventLoop
import HTTP
import HTTP1
import HTTP2

/// The client's side: streams that the worker opens.
extension StreamDriver where Base: ~Copyable {
    /// Streams that may be opened on a connection now.
    mutating func streamsLeft(_ key: SlabKey) -> Int {
        guard multiplexers.contains(key), !multiplexers[key].isOver, multiplexers[key].goAway == .none else { return 0 }
        return multiplexers[key].frames.streamsLeft &- multiplexers[key].unbegunCount
    }

    /// Whether the server has said what it takes, as WebSockets on streams (RFC 8441 section 3). Requests need not wait for that.
    mutating func hasPeerSettings(_ key: SlabKey) -> Bool {
        multiplexers.contains(key) && multiplexers[key].frames.hasPeerSettings
    }

    /// A stream for a request that is begun next; nil: the connection takes none.
    mutating func openStream(_ key: SlabKey) -> SocketID? {
        guard streamsLeft(key) > 0, let stream = insertStream(key, 0) else { return nil }
        return Self.socket(stream)
    }

    /// Begins the request of a stream. False: nothing was sent; the server does not take it, or it is not valid.
    ///
    /// - Parameter text: the head in the form in which `RequestEncoder` writes it: which version the connection speaks shows only
    ///   when it stands, and a head may have to be sent once more on another.
    mutating func beginRequest(_ socket: SocketID, _ text: borrowing Buffer, isSecure: Bool, isEnd: Bool) -> Bool {
        let stream = Self.stream(socket)
        guard streams.contains(stream), streams[stream].id == 0 else { return false }
        let key = streams[stream].connection
        guard multiplexers.contains(key),
            (try? requestParser.parse(text.span, into: &outgoing)) ?? false
        else { return false }
        var output = takeOutput(key, room: Self.room(text.count, 0, outgoing.fields.count))
        let isUpgrade = outgoing.isWebSocketHandshake
        if isUpgrade { removeWebSocketKey() }
        let started = begin(key, text, isSecure: isSecure, isUpgrade: isUpgrade, isEnd: isEnd, &output)
        keepOutput(key, output)
        guard case .started(let id) = started else { return false }
        streams[stream].id = id
        multiplexers[key].index.insert(id, Int(stream.index))
        if isEnd { noteEnd(stream) }
        return true
    }

    private mutating func begin(
        _ key: SlabKey, _ text: borrowing Buffer, isSecure: Bool, isUpgrade: Bool, isEnd: Bool, _ output: inout Buffer
    ) -> RequestStart {
        let bytes = text.span
        let host = bytes.extracting(outgoing.authority.range)
        let path = bytes.extracting(outgoing.path.range)
        let none = bytes.extracting(0..<0)
        do throws(UnsafeBytes) {
            return try multiplexers[key].frames.beginRequest(
                bytes: bytes, head: outgoing, path: path, host: host, additions: none,
                framing: isEnd || isUpgrade ? .none : outgoing.framing, isSecure: isSecure, upgrade: isUpgrade,
                acceptsTrailers: outgoing.acceptsTrailers, sendExpect: outgoing.expectsContinue, end: isEnd, tables,
                &output)
        } catch {
            return .closing
        }
    }

    /// RFC 8441 section 5: it is of no use in an extended CONNECT.
    private mutating func removeWebSocketKey() {
        for index in 0..<outgoing.fields.count where outgoing.fields[index].known == .secWebSocketKey {
            outgoing.fields[index].isRemoved = true
        }
    }

    /// Takes over the head of the response that was told last. Its bytes go behind those of `bytes`, which must be empty.
    mutating func takeResponse(_ head: inout ResponseHead, _ bytes: inout Buffer) {
        section.takeResponse(&head)
        bytes.append(section.arena.span)
    }
}
