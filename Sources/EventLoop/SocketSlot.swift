import Containers
public import Linux
import Net

/// What the epoll driver knows of one connection. What every event touches stands first, in one cache line.
@usableFromInline
struct SocketSlot: ~Copyable {
    @usableFromInline let descriptor: FileDescriptor
    @usableFromInline var flags: SocketFlags = []
    /// Ends of the list of queued buffers in the driver's output nodes; -1: empty.
    @usableFromInline var firstOutput: Int32 = -1
    var lastOutput: Int32 = -1
    /// Bytes in that list and in `pipe`.
    @usableFromInline var queuedBytes = 0
    /// The worker's number for this connection.
    @usableFromInline var owner: UInt64 = 0
    /// Turn of the last receive: what came since then may be unseen.
    @usableFromInline var lastTurn: UInt32 = 0
    /// Buffers in the list of queued ones.
    @usableFromInline var queuedBuffers: Int32 = 0
    /// Received bytes that the worker gave back; the next receive appends to them.
    var partial: Buffer?
    /// The pipe with relayed bytes that stand before the list of buffers; `.none` without.
    var pipe = SlabKey.none
    /// The TLS of a secure connection; `.none` without.
    var tls = SlabKey.none
    /// Where the next `relayRest` received bytes go.
    var relayDestination = SocketID.none
    var relayRest = 0
    let peer: SocketAddress

    init(descriptor: consuming FileDescriptor, peer: SocketAddress) {
        self.descriptor = descriptor
        self.peer = peer
    }

    /// What a wait's event means beyond the flags that it set.
    struct Note {
        /// Belongs into the ready queue now.
        var isNewlyReady = false
        /// There is more to the event than bytes to read.
        var isOdd = false
    }

    /// Notes an event of a wait.
    @inline(__always)
    mutating func note(_ readiness: Epoll.Readiness) -> Note {
        if flags.contains(.connecting) { return Note(isOdd: true) }
        let isOdd = readiness.isBroken || readiness.isWritable && queuedBytes > 0
        guard readiness.isReadable || readiness.isOver else { return Note(isOdd: isOdd) }
        return Note(isNewlyReady: markReadable(isEnding: readiness.isOver), isOdd: isOdd)
    }

    /// True: it belongs into the ready queue now.
    @inline(__always)
    mutating func markReadable(isEnding: Bool) -> Bool {
        flags.formUnion(isEnding ? [.readable, .ending] : .readable)
        return markQueued()
    }

    /// True: it was not in the ready queue and belongs there.
    @inline(__always)
    mutating func markQueued() -> Bool {
        if flags.hasAny([.queued, .paused, .sawEnd, .broken]) { return false }
        flags.formUnion(.queued)
        return true
    }

    /// It is taken off the ready queue: whether there is anything to receive, and how.
    @inline(__always)
    mutating func takeTurn() -> Receive {
        flags.subtract(.queued)
        let asked = flags.intersection([
            .readable, .paused, .broken, .sawEnd, .ending, .receivesBulk, .holdsPartial, .relaying, .secure,
        ])
        if asked == .readable { return .plain }
        return asked.contains(.readable) && !asked.hasAny([.paused, .broken, .sawEnd]) ? .other : .nothing
    }

    enum Receive {
        case nothing
        /// Into an empty buffer of the usual size; a short read drains the socket.
        case plain
        case other
    }

    /// Nothing stands in the way of a send, and nothing before it.
    @inline(__always)
    var maySend: Bool {
        queuedBytes == 0 && !flags.hasAny([.broken, .connecting, .batched, .secure])
    }

    /// A receive that did not fill its buffer: the socket is drained.
    @inline(__always)
    mutating func noteDrained(turn: UInt32) {
        flags.subtract(.readable)
        lastTurn = turn
    }

    /// Closes with a reset.
    consuming func abort() { descriptor.abort() }

    /// Gives the descriptor away.
    consuming func releaseDescriptor() -> Int32 { descriptor.release() }
}

/// One queued buffer of a connection's output list.
@usableFromInline
struct OutputNode: ~Copyable {
    var buffer: Buffer
    var next: Int32 = -1
}
