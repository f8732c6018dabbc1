package import Containers
import EventLoop
import HTTP2
import Net
import TLS

/// The calls of a driver: those for sockets go to the base driver as they are.
extension StreamDriver where Base: ~Copyable {
    package var now: Instant {
        @inline(__always) get { base.now }
    }
    var wallClockSeconds: Int64 {
        @inline(__always) get { base.wallClockSeconds }
    }
    var wallClockNanoseconds: Int64 {
        @inline(__always) get { base.wallClockNanoseconds }
    }
    var acceptPauses: Int { base.acceptPauses }

    var buffers: BufferPool {
        @inline(__always) _read { yield base.buffers }
        @inline(__always) _modify { yield &base.buffers }
    }

    @inline(__always)
    mutating func wait(until deadline: Instant) { base.wait(until: deadline) }

    @inline(__always)
    mutating func next() -> IOEvent? { base.next() }

    mutating func listen(_ descriptor: Int32, listener: UInt32) { base.listen(descriptor, listener: listener) }
    mutating func stopListening(_ listener: UInt32) { base.stopListening(listener) }
    mutating func slowAccepting() { base.slowAccepting() }
    mutating func adopt(_ descriptor: Int32) -> SocketID? { base.adopt(descriptor) }
    mutating func release(_ socket: SocketID) -> Int32? { base.release(socket) }
    func peer(_ socket: SocketID) -> SocketAddress { base.peer(socket) }

    mutating func connect(to address: SocketAddress) throws(IOFailure) -> SocketID { try base.connect(to: address) }

    mutating func secure(_ socket: SocketID, _ stream: consuming TLSStream) { base.secure(socket, stream) }
    mutating func security(_ socket: SocketID) -> SecurityFacts? { base.security(socket) }
    mutating func takeSession(_ socket: SocketID) -> TLSSession? { base.takeSession(socket) }

    @inline(__always)
    mutating func send(_ socket: SocketID, _ buffer: consuming Buffer, more: Bool) {
        if Self.isStream(socket) {
            sendOnStream(socket, buffer, more: more)
        } else {
            base.send(socket, buffer, more: more)
        }
    }

    @inline(__always)
    mutating func sendInTurn(_ socket: SocketID, _ buffer: consuming Buffer) {
        if Self.isStream(socket) {
            sendOnStream(socket, buffer, more: false)
        } else {
            base.sendInTurn(socket, buffer)
        }
    }

    /// Only of sockets: heads of streams are made from their parts each time.
    @inline(__always)
    mutating func send(_ socket: SocketID, copyOf buffer: borrowing Buffer) { base.send(socket, copyOf: buffer) }

    @inline(__always)
    mutating func flush(_ socket: SocketID) {
        if Self.isStream(socket) { flushStream(socket) } else { base.flush(socket) }
    }

    @inline(__always)
    mutating func queuedBytes(_ socket: SocketID) -> Int {
        Self.isStream(socket)
            ? streams.read(Self.stream(socket), or: 0) { $0.unsentCount } : base.queuedBytes(socket)
    }

    /// Bytes that have come and wait here for the worker; sockets leave them to the kernel.
    mutating func heldBytes(_ socket: SocketID) -> Int {
        Self.isStream(socket) ? streams.read(Self.stream(socket), or: 0) { $0.inboundCount } : 0
    }

    mutating func undeliveredBytes(_ socket: SocketID) -> Int {
        Self.isStream(socket) ? queuedBytes(socket) : base.undeliveredBytes(socket)
    }

    /// Only of sockets: heads of streams come whole.
    @inline(__always)
    mutating func unread(_ socket: SocketID, _ buffer: consuming Buffer) { base.unread(socket, buffer) }

    @inline(__always)
    mutating func pause(_ socket: SocketID) {
        if Self.isStream(socket) { pauseStream(socket) } else { base.pause(socket) }
    }

    @inline(__always)
    mutating func resume(_ socket: SocketID) {
        if Self.isStream(socket) { resumeStream(socket) } else { base.resume(socket) }
    }

    mutating func shutdownWrite(_ socket: SocketID) {
        if Self.isStream(socket) { endStream(socket) } else { base.shutdownWrite(socket) }
    }

    @inline(__always)
    mutating func close(_ socket: SocketID) {
        if Self.isStream(socket) { closeStream(socket) } else { base.close(socket) }
    }

    mutating func abort(_ socket: SocketID) {
        if Self.isStream(socket) { closeStream(socket) } else { base.abort(socket) }
    }

    @inline(__always)
    mutating func isQuiet(_ socket: SocketID, peek: Bool) -> Bool {
        Self.isStream(socket) ? isStreamQuiet(socket, peek: peek) : base.isQuiet(socket, peek: peek)
    }

    @inline(__always)
    mutating func relay(from source: SocketID, to destination: SocketID, count: Int) -> Bool {
        if (source.index | destination.index) & Self.socketMark != 0 { return false }
        return base.relay(from: source, to: destination, count: count)
    }

    @inline(__always)
    mutating func setOwner(_ socket: SocketID, _ owner: UInt64) {
        if Self.isStream(socket) {
            let stream = Self.stream(socket)
            if streams.contains(stream) { streams[stream].owner = owner }
        } else {
            base.setOwner(socket, owner)
        }
    }

    @inline(__always)
    func owner(_ socket: SocketID) -> UInt64 {
        Self.isStream(socket) ? streams.read(Self.stream(socket), or: 0) { $0.owner } : base.owner(socket)
    }
}
