internal import CLinux

/// A pipe with both ends ours: bytes of one socket go through it to another without being copied.
///
/// The process must ignore SIGPIPE, which a socket that was reset would raise.
package struct Pipe: ~Copyable {
    /// What a pipe is asked to hold. Measured with 1 MiB answers over loopback: 64 KiB cost a quarter more CPU time of the whole
    /// transfer, 1 MiB an eighth more.
    package static let capacity = 262_144
    /// What the kernel gives by default. A process of a user with too many pipes gets less, which is worth nothing here.
    private static let leastCapacity = 65_536

    private let reading: FileDescriptor
    private let writing: FileDescriptor

    package static func open() throws(Errno) -> Pipe {
        var ends: (Int32, Int32) = (-1, -1)
        // SAFETY: two numbers that live here.
        let capacity = unsafe withUnsafeMutableBytes(of: &ends) { raw in
            unsafe raw.withMemoryRebound(to: Int32.self) { unsafe cl_pipe($0.baseAddress, Int32(Self.capacity)) }
        }
        _ = try Errno.check(capacity)
        let pipe = Pipe(reading: FileDescriptor(owning: ends.0), writing: FileDescriptor(owning: ends.1))
        guard capacity >= leastCapacity else { throw .noMemory }
        return pipe
    }

    private init(reading: consuming FileDescriptor, writing: consuming FileDescriptor) {
        self.reading = reading
        self.writing = writing
    }

    /// Moves what a socket has received into the pipe, which must be empty: at most `limit` bytes, often less, and no less means
    /// that there is no more.
    package func fill(from socket: Int32, limit: Int) -> Socket.ReceiveResult {
        let result = cl_splice(socket, writing.number, min(limit, Self.capacity))
        if result > 0 { return .bytes(result) }
        if result == 0 { return .end }
        let error = Errno(Int32(truncatingIfNeeded: -result))
        return error == .again ? .wouldBlock : .failed(error)
    }

    /// Moves `count` bytes, which the pipe must hold, to a socket; says how many the socket took.
    package func drain(into socket: Int32, count: Int) -> Socket.SendResult {
        let result = cl_splice(reading.number, socket, count)
        if result > 0 { return .bytes(result) }
        let error = result == 0 ? Errno.brokenPipe : Errno(Int32(truncatingIfNeeded: -result))
        return error == .again ? .wouldBlock : .failed(error)
    }
}

extension Errno {
    /// The kernel (or a sandbox) does not splice this kind of socket.
    package var isNoSplice: Bool { [1, 22, 38, 95].contains(number) }
}
