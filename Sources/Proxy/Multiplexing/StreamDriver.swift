import Containers
package import EventLoop
import HTTP
import HTTP1
import HTTP2
import Net
import TLS

/// A driver on which each stream of an HTTP/2 connection is a socket: the engine serves requests of all versions in the same way.
///
///     worker ──▶ StreamDriver ──┬──▶ base driver                        sockets
///                               └──▶ multiplexer ──▶ base driver        streams
///
/// What differs is how a head is written and read (`StreamDriver+Heads`), and that the news of streams are pulled with
/// `nextStreamEvent`. Bytes of a connection's own socket come to `receive`.
///
/// Back-pressure: content of a paused stream stays here and is not given back to the peer's window, so that the window bounds
/// it. Content to the peer goes on while the connection's socket has little queued, one frame of each waiting stream in turn.
package struct StreamDriver<Base: IODriver & ~Copyable>: ~Copyable {
    package var base: Base
    var multiplexers: Slab<Multiplexer>
    var streams: Slab<StreamSocket>
    var outputs: Slab<StreamOutput>
    /// The fields that came last.
    var section = FieldSection()
    let tables = HPACKTables()
    /// Of requests that are sent.
    var outgoing = RequestHead()
    let requestParser = RequestParser(
        limits: RequestLimits(
            targetBytes: 1 << 20, fieldBytes: 1 << 20, headBytes: 1 << 20, fields: RequestHead.fieldsCapacity))
    /// Connections with received bytes, or with a notice to tell.
    var readable = RingQueue<SlabKey>()
    /// What reading has cost in this turn; see `turnShare`.
    var spentShare = 0
    /// Connections whose received bytes have to wait for the next turn.
    var resting = RingQueue<SlabKey>()
    /// Streams with news.
    var noted = RingQueue<SlabKey>()
    /// Connections with something to be sent at the end of the turn.
    var dirty = RingQueue<SlabKey>()
    /// Of connections that are gone.
    private var clientCounters = MultiplexerCounters()
    private var upstreamCounters = MultiplexerCounters()

    init(_ base: consuming Base, connectionsLimit: Int, streamsLimit: Int) {
        self.base = base
        multiplexers = Slab(limit: connectionsLimit)
        streams = Slab(limit: streamsLimit)
        outputs = Slab(limit: min(streamsLimit &* 16, Int(Int32.max) - 1))
    }

    /// Set in the index of each stream's id; places of sockets are below.
    static var socketMark: UInt32 { 0x8000_0000 }

    @inline(__always)
    static func isStream(_ socket: SocketID) -> Bool { socket.index & socketMark != 0 }

    static func socket(_ stream: SlabKey) -> SocketID {
        SocketID(index: stream.index | socketMark, generation: stream.generation)
    }

    static func stream(_ socket: SocketID) -> SlabKey {
        SlabKey(index: socket.index & ~socketMark, generation: socket.generation)
    }

    /// What reading may cost in one turn: so many frames, or a quarter as many requests. A receive of 64 KiB can have a thousand
    /// requests, each of which makes a connection to its service before it is reset: all others would wait until the last of them
    /// is decided. Connections are read in turn, a frame each. With so many for each connection, eight floods took 12 ms a turn.
    static var turnShare: Int { 64 }

    /// Decoding of fields and settings takes time by their bytes; content is only copied.
    @inline(__always)
    static func cost(_ event: HTTP2Event, bytes: Int) -> Int {
        switch event {
        case .data: 1
        case .request: 4 &+ bytes / 256
        default: 1 &+ bytes / 256
        }
    }

    /// Somebody has to be read in the next turn, whatever else comes.
    var hasResting: Bool { resting.count > 0 }

    /// Something stands in `nextStreamEvent`.
    @inline(__always)
    var hasStreamEvents: Bool { readable.count &+ noted.count > 0 }

    /// Something waits for `flushStreams`.
    @inline(__always)
    var hasStreamOutput: Bool { dirty.count > 0 }

    // MARK: Connections

    /// Speaks HTTP/2 on a connection from here on. Nil: there are too many.
    mutating func multiplex(
        _ socket: SocketID, owner: SlabKey, isServer: Bool, settings: LocalSettings, limits: FloodLimits,
        fieldLimits: FieldLimits
    ) -> SlabKey? {
        var frames = FrameEngine(isServer: isServer, settings: settings, limits: limits)
        var output = base.buffers.take(.head)
        frames.start(&output)
        let made = multiplexers.insert(
            Multiplexer(socket: socket, owner: owner, frames: frames, fieldLimits: fieldLimits))
        guard let key = made else {
            base.buffers.give(output)
            return nil
        }
        multiplexers[key].output = consume output
        markDirty(key)
        return key
    }

    /// Forgets a connection whose streams are closed already; its socket is the caller's to close.
    mutating func endMultiplexing(_ key: SlabKey) {
        guard var ended = multiplexers.remove(key) else { return }
        if ended.frames.isServer {
            clientCounters.add(ended.frames.counters)
        } else {
            upstreamCounters.add(ended.frames.counters)
        }
        if let input = ended.input.take() { base.buffers.give(input) }
        if let output = ended.output.take() { base.buffers.give(output) }
    }

    /// What happened so far, on the connections of clients and on those to upstreams.
    mutating func counted() -> (clients: MultiplexerCounters, upstreams: MultiplexerCounters) {
        var (clients, upstreams) = (clientCounters, upstreamCounters)
        for index in multiplexers.indices {
            guard let key = multiplexers.key(at: index) else { continue }
            let (counters, count) = (multiplexers[key].frames.counters, multiplexers[key].streamCount)
            if multiplexers[key].frames.isServer {
                clients.add(counters)
                clients.addOpen(streams: count)
            } else {
                upstreams.add(counters)
                upstreams.addOpen(streams: count)
            }
        }
        return (clients, upstreams)
    }

    /// A connection ends for what its peer did.
    mutating func noteFailure(_ key: SlabKey, _ reason: FailureReason) {
        if multiplexers[key].frames.isServer { clientCounters.note(reason) } else { upstreamCounters.note(reason) }
    }

    /// A stream of the connection; nil without any.
    mutating func anyStream(of key: SlabKey) -> SocketID? {
        guard multiplexers.contains(key) else { return nil }
        guard let stream = streams.key(at: Int(multiplexers[key].firstStream)) else { return nil }
        return Self.socket(stream)
    }

    mutating func streamCount(of key: SlabKey) -> Int {
        multiplexers.contains(key) ? multiplexers[key].streamCount : 0
    }

    /// Asks the peer to open no more streams: first kindly, and then those behind the last one are not served. False: that was
    /// said before.
    mutating func goAway(_ key: SlabKey, _ stage: GoAwayStage) -> Bool {
        guard multiplexers.contains(key), !multiplexers[key].isOver,
            multiplexers[key].goAway.rawValue < stage.rawValue
        else { return false }
        multiplexers[key].goAway = stage
        var output = takeOutput(key, room: 64)
        if stage == .last {
            _ = multiplexers[key].frames.goAway(.noError, &output)
        } else {
            _ = multiplexers[key].frames.shutdownNotice(&output)
        }
        keepOutput(key, output)
        return true
    }

    mutating func goAwayStage(of key: SlabKey) -> GoAwayStage {
        multiplexers.contains(key) ? multiplexers[key].goAway : .last
    }

    /// Nothing more can be sent or will come: what the streams still send goes nowhere.
    mutating func markOver(_ key: SlabKey) {
        if multiplexers.contains(key) { multiplexers[key].isOver = true }
    }

    // MARK: The list of streams

    /// Makes a stream's socket; nil: there are too many.
    mutating func insertStream(_ key: SlabKey, _ id: UInt32) -> SlabKey? {
        let isServer = multiplexers[key].frames.isServer
        guard let stream = streams.insert(StreamSocket(connection: key, id: id, isServer: isServer)) else { return nil }
        let first = multiplexers[key].firstStream
        streams[stream].next = first
        if let old = streams.key(at: Int(first)) { streams[old].previous = Int32(truncatingIfNeeded: stream.index) }
        multiplexers[key].firstStream = Int32(truncatingIfNeeded: stream.index)
        multiplexers[key].streamCount &+= 1
        if id != 0 { multiplexers[key].index.insert(id, Int(stream.index)) }
        return stream
    }

    mutating func unlink(_ stream: StreamSocket.Links) {
        if let next = streams.key(at: Int(stream.next)) { streams[next].previous = stream.previous }
        if let previous = streams.key(at: Int(stream.previous)) {
            streams[previous].next = stream.next
        } else if multiplexers.contains(stream.connection) {
            multiplexers[stream.connection].firstStream = stream.next
        }
        guard multiplexers.contains(stream.connection) else { return }
        multiplexers[stream.connection].streamCount &-= 1
        if stream.id != 0 { multiplexers[stream.connection].index.remove(stream.id) }
    }

    /// The connection of a stream ends. True: the stream's answer is here as a whole, and the worker gets it still.
    mutating func detach(_ socket: SocketID) -> Bool {
        let stream = Self.stream(socket)
        guard streams.contains(stream), streams[stream].holdsWholeAnswer else { return false }
        unlink(streams[stream].links)
        streams[stream].detach()
        return true
    }

    mutating func find(_ key: SlabKey, _ id: UInt32) -> SlabKey? {
        guard let place = multiplexers[key].index.find(id) else { return nil }
        return streams.key(at: place)
    }

    /// The worker shall hear of a stream.
    mutating func note(_ stream: SlabKey) {
        if streams[stream].isNoted { return }
        streams[stream].isNoted = true
        noted.append(stream)
    }

    // MARK: Output

    mutating func markDirty(_ key: SlabKey) {
        if multiplexers[key].isDirty { return }
        multiplexers[key].isDirty = true
        dirty.append(key)
    }

    /// The connection's output with at least `room` bytes of tailroom: the one that is being filled, or a new one.
    mutating func takeOutput(_ key: SlabKey, room: Int) -> Buffer {
        if let output = multiplexers[key].output.take() {
            if output.tailroom >= room { return output }
            if output.isEmpty {
                base.buffers.give(output)
            } else {
                base.send(multiplexers[key].socket, output, more: true)
                markDirty(key)
            }
        }
        return base.buffers.take(atLeast: max(room, BufferPool.headBytes &+ 1))
    }

    mutating func keepOutput(_ key: SlabKey, _ output: consuming Buffer) {
        if output.isEmpty {
            base.buffers.give(output)
            return
        }
        multiplexers[key].output = consume output
        markDirty(key)
    }

    /// Hands what was written so far to the connection's socket.
    mutating func flushConnection(_ key: SlabKey) {
        guard multiplexers.contains(key) else { return }
        let socket = multiplexers[key].socket
        if let output = multiplexers[key].output.take() {
            base.send(socket, output, more: false)
        } else {
            base.flush(socket)
        }
        if base.queuedBytes(socket) == 0 { multiplexers[key].frames.outputWasSent() }
    }

    /// Sends what the turn has written.
    @inline(never)
    mutating func flushStreams() {
        spentShare = 0
        while let key = dirty.popFirst() {
            guard multiplexers.contains(key) else { continue }
            multiplexers[key].isDirty = false
            flushConnection(key)
        }
    }
}
