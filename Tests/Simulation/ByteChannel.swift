import Containers

/// One direction of a simulated connection: what was put on the wire, what arrived, and whether it ended.
struct ByteChannel {
    /// Bytes on the wire and arrived but not read, at most: the receiver's and the sender's kernel buffers.
    var window: Int
    var arrived = ByteQueue()
    var inFlight = 0
    /// Bytes ever put on the wire.
    var total = 0
    /// The wire breaks when that many bytes were put on it.
    var breaksAt: Int?
    /// Segments keep their order.
    var lastArrival = Instant(nanoseconds: .min)
    var isEndSent = false
    var hasEndArrived = false

    init(window: Int) { self.window = window }

    var room: Int { max(0, window - inFlight - arrived.count) }
}
