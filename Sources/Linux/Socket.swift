public import CLinux
public import Containers
package import Net

/// System calls on stream sockets, non-blocking all of them.
@usableFromInline
package enum Socket {
    @usableFromInline
    package enum ReceiveResult: Equatable {
        case bytes(Int)
        case end
        case wouldBlock
        case failed(Errno)
    }

    @usableFromInline
    package enum SendResult: Equatable {
        case bytes(Int)
        case wouldBlock
        case failed(Errno)
    }

    /// Accepts one connection.
    package static func accept(_ listener: Int32, peer: inout SocketAddress) throws(Errno) -> FileDescriptor {
        var kernel = cl_address()
        // SAFETY: the call fills a structure that lives here.
        let number = unsafe try Errno.check(cl_accept(listener, &kernel))
        peer = SocketAddress(kernel)
        return FileDescriptor(owning: number)
    }

    /// Begins to connect. `isPending` is false when the connection stands already (Unix sockets).
    package static func connect(
        to address: SocketAddress, isPending: inout Bool
    ) throws(Errno) -> FileDescriptor {
        var kernel = try cl_address(address)
        var pending: Int32 = 0
        // SAFETY: both structures live here.
        let number = unsafe try Errno.check(cl_connect(&kernel, &pending))
        isPending = pending != 0
        return FileDescriptor(owning: number)
    }

    /// Binds and listens.
    package static func listen(on address: SocketAddress, backlog: Int32) throws(Errno) -> FileDescriptor {
        var kernel = try cl_address(address)
        // SAFETY: the structure lives here.
        return unsafe FileDescriptor(owning: try Errno.check(cl_listen(&kernel, backlog)))
    }

    /// Bytes that were sent and that the peer has not acknowledged (TCP) or read (Unix sockets); 0 when nobody knows.
    package static func undelivered(_ socket: Int32) -> Int {
        Int(max(0, cl_undelivered(socket)))
    }

    /// Bounds what the kernel takes to send beyond what is on its way to the peer (`TCP_NOTSENT_LOWAT`), for a TCP socket or for
    /// those that a listening one accepts from here on. Nil: the system's choice, which others keep.
    package static func limitUnsent(_ socket: Int32, to bytes: Int?) {
        cl_limit_unsent(socket, UInt32(clamping: bytes ?? 0))
    }

    package static func localAddress(_ socket: Int32) throws(Errno) -> SocketAddress {
        var kernel = cl_address()
        // SAFETY: the call fills a structure that lives here.
        _ = unsafe try Errno.check(cl_local_address(socket, &kernel))
        return SocketAddress(kernel)
    }

    package static func peerAddress(_ socket: Int32) throws(Errno) -> SocketAddress {
        var kernel = cl_address()
        // SAFETY: the call fills a structure that lives here.
        _ = unsafe try Errno.check(cl_peer_address(socket, &kernel))
        return SocketAddress(kernel)
    }

    /// The pending error of a socket, nil when there is none.
    package static func pendingError(_ socket: Int32) -> Errno? {
        let number = cl_socket_error(socket)
        return number == 0 ? nil : Errno(number)
    }

    /// Receives into the buffer's tailroom, at most `limit` bytes.
    @inlinable
    package static func receive(_ socket: Int32, into buffer: inout Buffer, limit: Int) -> ReceiveResult {
        var failure: Int = 0
        // SAFETY: the memory and its size come from the buffer and are used inside the call alone.
        let count = unsafe buffer.fill(limit: limit) { (memory: UnsafeMutableRawPointer, room: Int) -> Int in
            let result = unsafe cl_receive(socket, memory, room)
            if result < 0 {
                failure = -result
                return 0
            }
            return result
        }
        if failure == 0 { return count == 0 ? .end : .bytes(count) }
        let error = Errno(Int32(truncatingIfNeeded: failure))
        return error == .again ? .wouldBlock : .failed(error)
    }

    /// Sends the buffer's readable bytes; says how many the kernel took.
    @inlinable
    package static func send(_ socket: Int32, _ buffer: borrowing Buffer) -> SendResult {
        // SAFETY: the memory and its size come from the buffer and are used inside the call alone.
        sendResult(
            unsafe buffer.withReadable { (memory: UnsafeRawPointer, count: Int) -> Int in
                unsafe cl_send(socket, memory, count)
            })
    }

    /// Sends the last bytes before an end of this direction that comes at once: both go in one segment.
    package static func sendLast(_ socket: Int32, _ buffer: borrowing Buffer) -> SendResult {
        // SAFETY: as above.
        sendResult(
            unsafe buffer.withReadable { (memory: UnsafeRawPointer, count: Int) -> Int in
                unsafe cl_send_last(socket, memory, count)
            })
    }

    /// Sends two buffers' readable bytes in one call.
    package static func send(_ socket: Int32, _ first: borrowing Buffer, _ second: borrowing Buffer) -> SendResult {
        // SAFETY: as above.
        sendResult(
            unsafe first.withReadable { (firstMemory: UnsafeRawPointer, firstCount: Int) -> Int in
                unsafe second.withReadable { (secondMemory: UnsafeRawPointer, secondCount: Int) -> Int in
                    unsafe cl_send_two(socket, firstMemory, firstCount, secondMemory, secondCount)
                }
            })
    }

    @inlinable
    static func sendResult(_ result: Int) -> SendResult {
        if result >= 0 { return .bytes(result) }
        let error = Errno(Int32(truncatingIfNeeded: -result))
        return error == .again ? .wouldBlock : .failed(error)
    }

    /// Whether the connection is open and nothing waits to be read.
    package static func isQuiet(_ socket: Int32) -> Bool { cl_is_quiet(socket) == 1 }

    package static func shutdownWrite(_ socket: Int32) { _ = cl_shutdown_write(socket) }
}

extension SocketAddress {
    init(_ kernel: cl_address) {
        switch kernel.kind {
        case 4:
            let b = kernel.bytes
            let value = UInt32(b.0) << 24 | UInt32(b.1) << 16 | UInt32(b.2) << 8 | UInt32(b.3)
            self = .ip(.v4(value), port: kernel.port)
        case 6:
            var copy = kernel.bytes
            // SAFETY: sixteen bytes that live here.
            let (high, low) = unsafe withUnsafeBytes(of: &copy) { raw in
                (
                    UInt64(bigEndian: unsafe raw.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
                    UInt64(bigEndian: unsafe raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
                )
            }
            self = .ip(.v6(high, low), port: kernel.port)
        default:
            var copy = kernel.path
            // SAFETY: the shim ends the path with a zero byte inside its 108 bytes.
            let path = unsafe withUnsafeBytes(of: &copy) { raw in
                unsafe String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
            }
            self = .unix(path: path)
        }
    }
}

extension cl_address {
    init(_ address: SocketAddress) throws(Errno) {
        self.init()
        is_loopback = address.ipAddress?.isLoopback == true ? 1 : 0
        switch address {
        case .ip(.v4(let value), let port):
            kind = 4
            self.port = port
            // SAFETY: writes the first four of sixteen bytes of this value.
            unsafe withUnsafeMutableBytes(of: &bytes) {
                unsafe $0.storeBytes(of: value.bigEndian, toByteOffset: 0, as: UInt32.self)
            }
        case .ip(.v6(let high, let low), let port):
            kind = 6
            self.port = port
            // SAFETY: writes the sixteen bytes of this value.
            unsafe withUnsafeMutableBytes(of: &bytes) {
                unsafe $0.storeBytes(of: high.bigEndian, toByteOffset: 0, as: UInt64.self)
                unsafe $0.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
        case .unix(let path):
            kind = 1
            let utf8 = Array(path.utf8)
            guard utf8.count < 108 else { throw Errno(36) }
            // SAFETY: at most 107 bytes are written; the rest stays zero.
            unsafe withUnsafeMutableBytes(of: &self.path) { unsafe $0.copyBytes(from: utf8) }
        }
    }
}
