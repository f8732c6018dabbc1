import Containers
import EventLoop
import HTTP2

/// How far the end of a connection was announced (RFC 9113 section 6.8).
enum GoAwayStage: UInt8, Sendable {
    case none
    /// Streams on their way are served still.
    case notice
    /// Those behind a last one are not.
    case last
}

/// State of one HTTP/2 connection, of a client or to an endpoint, below its streams.
struct Multiplexer: ~Copyable {
    let socket: SocketID
    /// The worker's session of the connection.
    let owner: SlabKey
    let fieldLimits: FieldLimits
    var frames: FrameEngine
    /// Numbers of streams to places in the driver's slab.
    var index = StreamIndex()
    /// Received bytes that were not looked at yet.
    var input: Buffer?
    /// Frames that were written and not sent.
    var output: Buffer?
    /// Ends of the list of streams; places in the driver's slab, -1: empty.
    var firstStream: Int32 = -1
    /// Streams in that list: those that the worker has not closed.
    var streamCount = 0
    /// Streams with content that waits for the connection's window or for room on the connection, those at the front first. What
    /// waits for its own window alone is in no queue.
    var waiting = RingQueue<SlabKey>()
    /// Streams with an end alone, which needs room and no window.
    var waitingEnds = RingQueue<SlabKey>()
    /// Has something to be sent at the end of the turn.
    var isDirty = false
    /// Nothing is read before what is queued for the peer is sent: it sends requests and does not read the answers.
    var isHeldUp = false
    /// It has had its share of this turn: no more is received before what came is read.
    var isResting = false
    /// Nothing more comes of it and nothing can be sent.
    var isOver = false
    /// Whether the peer was asked to open no more streams.
    var goAway = GoAwayStage.none

    init(socket: SocketID, owner: SlabKey, frames: consuming FrameEngine, fieldLimits: FieldLimits) {
        self.socket = socket
        self.owner = owner
        self.fieldLimits = fieldLimits
        self.frames = frames
    }

    /// Streams of which the peer knows nothing yet.
    var unbegunCount: Int { streamCount &- index.count }
}
