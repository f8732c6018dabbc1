import Containers
import Linux
import Net

/// What the epoll driver knows of one connection.
struct SocketSlot: ~Copyable {
    var descriptor: FileDescriptor
    let peer: SocketAddress
    /// The worker's number for this connection.
    var owner: UInt64 = 0
    /// Received bytes that the worker gave back; the next receive appends to them.
    var partial: Buffer?
    /// Ends of the list of queued buffers in the driver's output nodes; -1: empty.
    var firstOutput: Int32 = -1
    var lastOutput: Int32 = -1
    /// Bytes in that list.
    var queuedBytes = 0
    var isConnecting = false
    /// The kernel may have bytes or an end for us (edge-triggered: nobody tells us twice).
    var isReadable = false
    /// The kernel reported that the peer ended its direction; a short read is then not the last one.
    var isEnding = false
    var isPaused = false
    /// Stands in the ready queue.
    var isQueued = false
    var sawEnd = false
    var isBroken = false
    /// The kernel took less than it was given; the queue waits for a writable event.
    var isBlocked = false
    /// `shutdownWrite` waits for the queue to be sent.
    var endsAfterOutput = false
    /// Turn of the last receive: what came since then may be unseen.
    var lastTurn: UInt32 = 0
    /// The last receive filled its buffer: the next one gets a large one.
    var receivesBulk = false

    init(descriptor: consuming FileDescriptor, peer: SocketAddress) {
        self.descriptor = descriptor
        self.peer = peer
    }

    /// Closes with a reset.
    consuming func abort() { descriptor.abort() }

    /// Gives the descriptor away.
    consuming func releaseDescriptor() -> Int32 { descriptor.release() }
}

/// One queued buffer of a connection's output list.
struct OutputNode: ~Copyable {
    var buffer: Buffer
    var next: Int32 = -1
}
