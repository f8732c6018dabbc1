public import Containers
public import Net
public import TLS

/// Identity of a socket of a driver. Events of a closed socket are never delivered, its key never matches again.
@usableFromInline
package typealias SocketID = SlabKey

/// The one seam between the engine and the world: sockets, time and wake-ups of one worker.
///
/// Completion-shaped and pulled. A worker calls `wait`, then `next` until nil, and handles each event before it takes the
/// next one. Nothing is ever delivered from inside another call: a send that fails shows up as `failed` later. The epoll
/// driver imitates completions; an io_uring driver has them; the simulated driver invents them.
///
/// Ownership of bytes goes with the call: `data` hands a buffer over, `send` takes one.
@usableFromInline
package protocol IODriver: ~Copyable {
    /// Monotonic time; read once per `wait`, so all events of a turn have the same.
    var now: Instant { get }
    /// Seconds since 1970, for Date fields and logs only.
    var wallClockSeconds: Int64 { get }
    /// Nanoseconds behind `wallClockSeconds`.
    var wallClockNanoseconds: Int64 { get }
    /// Free buffers of this worker.
    var buffers: BufferPool { get set }

    /// Waits for events, at most until `deadline`.
    mutating func wait(until deadline: Instant)
    /// The next event of this turn, nil when there is no more.
    mutating func next() -> IOEvent?

    /// Begins to accept on a listening socket. `listener`, unique among them, comes back in `accepted`.
    mutating func listen(_ descriptor: Int32, listener: UInt32)
    /// Stops accepting on it. Connections that were accepted stay; the descriptor stays open (its owner closes it).
    mutating func stopListening(_ listener: UInt32)
    /// Accepts nothing for a moment: what connects meanwhile waits in the backlog.
    mutating func slowAccepting()
    /// Times that accepting stopped for a moment because descriptors or memory had run out.
    var acceptPauses: Int { get }

    /// Begins a connection. Its fate comes as `connected` or `failed`; what the kernel knows at once is thrown.
    mutating func connect(to address: SocketAddress) throws(IOFailure) -> SocketID
    /// Queues a buffer and sends what the kernel takes. With `more`, sending waits for the next buffer of this
    /// socket, which comes in the same turn.
    mutating func send(_ socket: SocketID, _ buffer: consuming Buffer, more: Bool)
    /// As `send`, but the driver may wait with it until the events of this turn are handled, so that `queuedBytes` tells only after
    /// that what the kernel did not take. For messages whose sender has nothing to decide by that.
    mutating func sendInTurn(_ socket: SocketID, _ buffer: consuming Buffer)
    /// As `send`, of a copy: for bytes that may have to be sent once more. What the kernel takes at once is not copied.
    mutating func send(_ socket: SocketID, copyOf buffer: borrowing Buffer)
    /// Sends what `more` held back.
    mutating func flush(_ socket: SocketID)
    /// Bytes that `send` took and the kernel did not yet. 0 for an unknown socket.
    func queuedBytes(_ socket: SocketID) -> Int
    /// Buffers in which these bytes stand: there are only so many places for them, and all sockets share those.
    func queuedBuffers(_ socket: SocketID) -> Int
    /// As `queuedBytes`, and what the kernel took and the peer has not acknowledged. Asks the kernel: not for every event.
    func undeliveredBytes(_ socket: SocketID) -> Int
    /// Gives a received buffer back unconsumed: the next bytes are appended to it and come as one `data` (in a larger
    /// buffer when it is full).
    mutating func unread(_ socket: SocketID, _ buffer: consuming Buffer)
    /// No `data` and no `endOfStream` until `resume`. Failures are still reported.
    mutating func pause(_ socket: SocketID)
    mutating func resume(_ socket: SocketID)
    /// Ends our direction once everything queued is sent.
    mutating func shutdownWrite(_ socket: SocketID)
    /// Closes at once; what is queued is dropped. The key is dead from here on.
    mutating func close(_ socket: SocketID)
    /// Closes so that the peer sees a reset: what it got so far is visibly incomplete.
    mutating func abort(_ socket: SocketID)
    /// Whether an idle connection is still as it was left, open and without unread bytes, as far as the last `wait` saw. What
    /// that wait could not see (the connection was read in this turn) is looked up in the kernel; `peek` does so always.
    mutating func isQuiet(_ socket: SocketID, peek: Bool) -> Bool
    /// Takes over a connected descriptor that another worker accepted; nil when there is no place for it (it is closed then).
    mutating func adopt(_ descriptor: Int32) -> SocketID?
    /// Gives an accepted connection away unread; nil where the driver cannot.
    mutating func release(_ socket: SocketID) -> Int32?
    /// The next `count` bytes that `source` receives go to `destination` unseen: each piece is told as `relayed` in place of
    /// `data`, what the destination does not take at once counts as queued for it, and behind the last piece comes `data` again.
    /// The same when the destination is closed before. An end or a failure of `source` comes as ever.
    /// False where the driver cannot: the caller sends what comes as `data`.
    mutating func relay(from source: SocketID, to destination: SocketID, count: Int) -> Bool

    /// From here on the peer is spoken to in TLS: what is received as `data` and given to `send` is content. A client's end says hello
    /// at once. Its fate comes as `secured` or `failed`; until then nothing may be sent. Bytes given back with `unread` are the
    /// first of the handshake. A client that does not speak TLS is left as it is: its bytes come as `data`.
    mutating func secure(_ socket: SocketID, _ stream: consuming TLSStream)
    /// What a handshake agreed on; nil where there is none, or none that is finished.
    mutating func security(_ socket: SocketID) -> SecurityFacts?

    /// What a later connection to the server of this client's end may be begun with; nil: it gave nothing (more).
    mutating func takeSession(_ socket: SocketID) -> TLSSession?

    /// A number of the caller's that comes with each event of the socket.
    mutating func setOwner(_ socket: SocketID, _ owner: UInt64)
    func owner(_ socket: SocketID) -> UInt64
    /// The peer's address; for PROXY protocol and logs.
    func peer(_ socket: SocketID) -> SocketAddress
}

/// What happened to a socket.
@usableFromInline
package enum IOEvent: ~Copyable {
    case accepted(SocketID, listener: UInt32, peer: SocketAddress)
    case connected(SocketID)
    /// The handshake that `secure` began is done.
    case secured(SocketID)
    /// Bytes arrived; never empty.
    case data(SocketID, Buffer)
    /// So many bytes went to the destination of `relay`, or into its queue; never 0. With the last of its count: whether the
    /// source has more than that already, bytes or its end.
    case relayed(SocketID, Int, isFollowed: Bool)
    /// The peer ended its direction; ours is still open.
    case endOfStream(SocketID)
    /// The connection is broken (or was never made). Only `close` makes sense now.
    case failed(SocketID, IOFailure)
    /// All that was queued is sent, after a time in which the kernel did not take it at once.
    case drained(SocketID)
    /// Somebody posted to the inbox.
    case woken
}

@usableFromInline
package enum IOFailure: Error, Equatable, Sendable {
    case refused, reset, timedOut, unreachable, noPermission, exhausted
    /// The connection ended in the middle of what was to come: without the end that TLS says before (RFC 8446 section 6.1).
    case truncated
    case handshake(TLSFailure)
    /// TLS broke off after its handshake.
    case tls(TLSFailure)
    case other(Int32)
}
