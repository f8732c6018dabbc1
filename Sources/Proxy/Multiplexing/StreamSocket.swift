import Containers

/// What the stream driver knows of one stream: what a driver knows of a socket.
struct StreamSocket: ~Copyable {
    /// Of the driver's `multiplexers`; `.none` when that is gone and the worker has not got the whole answer yet.
    private(set) var connection: SlabKey
    /// 0: a client's, whose request is not begun.
    var id: UInt32
    let isServer: Bool
    /// The worker's number for this stream.
    var owner: UInt64 = 0
    /// Neighbours in the connection's list of streams; places, -1: none.
    var next: Int32 = -1
    var previous: Int32 = -1

    // From the peer.
    /// Content that came while the worker did not want any; the stream's window bounds it.
    var inbound: Buffer?
    var isPaused = false
    /// The peer has ended its direction.
    var sawEnd = false
    /// The worker knows.
    var toldEnd = false

    // To the peer.
    /// Ends of the list of queued buffers in the driver's output nodes; -1: empty.
    var firstOutput: Int32 = -1
    var lastOutput: Int32 = -1
    var queuedBytes = 0
    /// Our direction ends behind what is queued.
    var endsAfterOutput = false
    /// Whole lines that end our direction.
    var trailers: Buffer?
    /// We have ended our direction.
    var saidEnd = false
    /// Stands in one of the connection's queues of waiting streams.
    var isWaiting = false
    /// The worker waits for the queue to be empty.
    var awaitsDrain = false

    // For the worker.
    /// The engine has closed the stream for what the peer did.
    var isGone = false
    /// The peer has not worked on it (RFC 9113 section 8.7).
    var isRefused = false
    var toldGone = false
    var isDrained = false
    /// Stands in the driver's list of streams with news.
    var isNoted = false

    /// Its place among the streams of its connection.
    struct Links {
        let connection: SlabKey
        let id: UInt32
        let next: Int32
        let previous: Int32
    }

    var links: Links { Links(connection: connection, id: id, next: next, previous: previous) }

    /// Outlives its connection.
    mutating func detach() {
        connection = .none
        next = -1
        previous = -1
        isGone = true
    }

    /// Bytes that wait, and one for an end that does: without it a stream whose end is held up would look finished.
    var unsentCount: Int { queuedBytes &+ (endsAfterOutput && !saidEnd ? 1 : 0) }

    /// Bytes that came and that the worker has not taken.
    var inboundCount: Int {
        switch inbound {
        case .some(let buffer): buffer.count
        case .none: 0
        }
    }

    /// The server's answer is here to its end, and not yet with the worker: what happens to the stream or its connection does not
    /// take it back (RFC 9113 section 8.1).
    var holdsWholeAnswer: Bool { !isServer && sawEnd && !toldEnd }

    init(connection: SlabKey, id: UInt32, isServer: Bool) {
        self.connection = connection
        self.id = id
        self.isServer = isServer
    }
}

/// One queued buffer of a stream.
struct StreamOutput: ~Copyable {
    var buffer: Buffer
    var next: Int32 = -1
}
