internal import CLinux
package import Containers
package import Net

/// A stream socket for a thread that may wait: each receive and send takes at most the given time.
package struct BlockingConnection: ~Copyable {
    package enum Failure: Error, Equatable, Sendable {
        case timedOut
        /// The peer is gone or broken.
        case broken(Errno)
    }

    private let descriptor: FileDescriptor

    package init(_ descriptor: consuming FileDescriptor, timeoutMilliseconds: Int64) {
        _ = cl_set_blocking_with_timeout(descriptor.number, timeoutMilliseconds)
        self.descriptor = descriptor
    }

    /// Connects and waits until the connection stands.
    package static func connect(
        to address: SocketAddress, timeoutMilliseconds: Int64
    ) throws(Errno) -> BlockingConnection {
        var isPending = false
        let socket = try Socket.connect(to: address, isPending: &isPending)
        if isPending {
            let limit = Int32(clamping: timeoutMilliseconds)
            guard Poll.waitWritable(socket.number, milliseconds: limit) else { throw .timedOut }
            if let error = Socket.pendingError(socket.number) { throw error }
        }
        return BlockingConnection(socket, timeoutMilliseconds: timeoutMilliseconds)
    }

    /// Waits for bytes and appends them to the buffer's tailroom, which must not be empty. False: the peer ended.
    package func receive(into buffer: inout Buffer) throws(Failure) -> Bool {
        switch Socket.receive(descriptor.number, into: &buffer, limit: buffer.tailroom) {
        case .bytes: return true
        case .end: return false
        case .wouldBlock: throw .timedOut
        case .failed(let error): throw .broken(error)
        }
    }

    /// Sends all of it.
    package func send(_ bytes: [UInt8]) throws(Failure) {
        do throws(Errno) {
            try FileAccess.write(bytes[...], to: descriptor.number)
        } catch {
            throw error == .again ? .timedOut : .broken(error)
        }
    }

    /// Whether bytes or the peer's end are there within the time.
    package func waitReadable(milliseconds: Int32) -> Bool {
        !Poll.wait([descriptor.number], milliseconds: milliseconds).isEmpty
    }

    package func shutdownWrite() { Socket.shutdownWrite(descriptor.number) }
}
