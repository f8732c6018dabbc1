internal import CLinux

/// One end of a pair of sockets between two processes: whole messages, each with up to 64 descriptors.
package struct MessageSocket: ~Copyable, Sendable {
    package enum Received: Sendable {
        /// The descriptors belong to the receiver now.
        case message([UInt8], descriptors: [Int32])
        /// The other side is gone.
        case end
        case failed(Errno)
    }

    /// Bytes of the largest message.
    package static let maximumSize = 128 * 1024
    package static let maximumDescriptors = 64

    private let descriptor: FileDescriptor

    package init(owning number: Int32) {
        descriptor = FileDescriptor(owning: number)
    }

    /// Two connected ends, as descriptors.
    package static func pair() throws(Errno) -> (Int32, Int32) {
        var ends: [Int32] = [-1, -1]
        // SAFETY: the array has the two places that the call fills.
        _ = try Errno.check(unsafe cl_message_pair(&ends))
        return (ends[0], ends[1])
    }

    package var number: Int32 { descriptor.number }

    /// Sends one message. The descriptors stay the sender's too.
    package func send(_ bytes: [UInt8], descriptors: [Int32] = []) throws(Errno) {
        // SAFETY: both arrays live during the call.
        let result = unsafe cl_send_message(number, bytes, bytes.count, descriptors, descriptors.count)
        _ = try Errno.check(result)
    }

    /// Waits for one message.
    package func receive() -> Received {
        var descriptors = [Int32](repeating: -1, count: Self.maximumDescriptors)
        var count = 0
        var size = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: Self.maximumSize) { buffer, initialized in
            // SAFETY: both blocks have the given places; the kernel initialises what it counts.
            size = unsafe cl_receive_message(
                number, buffer.baseAddress, buffer.count, &descriptors, Self.maximumDescriptors, &count)
            initialized = max(0, size)
        }
        if size < 0 { return .failed(Errno(Int32(truncatingIfNeeded: -size))) }
        if size == 0 { return .end }
        return .message(bytes, descriptors: Array(descriptors.prefix(count)))
    }
}
