/// What the epoll driver knows of a connection, a bit each: an event asks for several of them at once.
@usableFromInline
struct SocketFlags: OptionSet, Sendable {
    @usableFromInline var rawValue: UInt16

    @inlinable
    init(rawValue: UInt16) { self.rawValue = rawValue }

    @inlinable static var connecting: SocketFlags { SocketFlags(rawValue: 1) }
    /// The kernel may have bytes or an end for us (edge-triggered: nobody tells us twice).
    @inlinable static var readable: SocketFlags { SocketFlags(rawValue: 2) }
    /// The kernel reported that the peer ended its direction; a short read is then not the last one.
    @inlinable static var ending: SocketFlags { SocketFlags(rawValue: 4) }
    @inlinable static var paused: SocketFlags { SocketFlags(rawValue: 8) }
    /// Stands in the ready queue.
    @inlinable static var queued: SocketFlags { SocketFlags(rawValue: 16) }
    @inlinable static var sawEnd: SocketFlags { SocketFlags(rawValue: 32) }
    @inlinable static var broken: SocketFlags { SocketFlags(rawValue: 64) }
    /// The kernel took less than it was given; the queue waits for a writable event.
    @inlinable static var blocked: SocketFlags { SocketFlags(rawValue: 128) }
    /// `shutdownWrite` waits for the queue to be sent.
    @inlinable static var endsAfterOutput: SocketFlags { SocketFlags(rawValue: 256) }
    /// The last receive filled its buffer: the next one gets a large one.
    @inlinable static var receivesBulk: SocketFlags { SocketFlags(rawValue: 512) }
    /// Holds received bytes that the worker gave back.
    @inlinable static var holdsPartial: SocketFlags { SocketFlags(rawValue: 1_024) }
    /// What is received goes to another socket.
    @inlinable static var relaying: SocketFlags { SocketFlags(rawValue: 2_048) }
    /// The kernel cannot splice this socket.
    @inlinable static var relayCopies: SocketFlags { SocketFlags(rawValue: 4_096) }
    /// A buffer of it waits in the driver's batch.
    @inlinable static var batched: SocketFlags { SocketFlags(rawValue: 8_192) }

    /// The worker sees content, the kernel TLS records.
    @inlinable static var secure: SocketFlags { SocketFlags(rawValue: 16_384) }

    /// Whether one of `others` is set.
    @inlinable
    func hasAny(_ others: SocketFlags) -> Bool { rawValue & others.rawValue != 0 }
}
