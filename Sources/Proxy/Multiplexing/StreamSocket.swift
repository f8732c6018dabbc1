import Containers

/// What the stream driver knows of one stream: what a driver knows of a socket.
struct StreamSocket: ~Copyable {
    /// Of the driver's `multiplexers`.
    let connection: SlabKey
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
    /// Stands in the connection's ring of waiting streams.
    var isWaiting = false
    /// The worker waits for the queue to be empty.
    var awaitsDrain = false

    // For the worker.
    /// The engine has closed the stream for what the peer did.
    var isGone = false
    var toldGone = false
    var isDrained = false
    /// Stands in the driver's list of streams with news.
    var isNoted = false

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
