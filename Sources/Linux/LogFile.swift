internal import CLinux
package import Containers

/// An open output of logs. Writing never blocks for longer than it is told, but for a disk that hangs.
package struct LogFile: ~Copyable, Sendable {
    package enum WriteResult: Equatable, Sendable {
        /// So many bytes were taken, at least one.
        case bytes(Int)
        /// Nothing could be written in the given time.
        case wouldBlock
        case failed(Errno)
    }

    private let number: Int32
    private let kind: Int32

    private init(owning number: Int32) throws(Errno) {
        self.number = number
        kind = cl_log_kind(number)
        if kind < 0 { throw Errno(-kind) }
    }

    deinit {
        _ = cl_close(number)
    }

    /// Appends to the file at `path`; made with mode 0640 when it is not there.
    package static func open(path: String) throws(Errno) -> LogFile {
        // SAFETY: the string lives during the call.
        try LogFile(owning: Errno.check(unsafe cl_log_open(path)))
    }

    /// Sends datagrams to the Unix socket at `path`.
    package static func datagrams(to path: String) throws(Errno) -> LogFile {
        // SAFETY: the string lives during the call.
        try LogFile(owning: Errno.check(unsafe cl_log_datagrams(path)))
    }

    /// Another way to an open descriptor, which stays its owner's.
    package static func duplicate(of number: Int32) throws(Errno) -> LogFile {
        try LogFile(owning: Errno.check(cl_log_duplicate(number)))
    }

    /// Writes from the front of the readable bytes, at most `limit` of them.
    package borrowing func write(_ buffer: borrowing Buffer, limit: Int, milliseconds: Int32) -> WriteResult {
        let number = number
        let kind = kind
        // SAFETY: the memory and its size come from the buffer and are used inside the call alone.
        let result = unsafe buffer.withReadable { (memory: UnsafeRawPointer, count: Int) -> Int in
            unsafe cl_log_write(number, kind, memory, min(count, limit), milliseconds)
        }
        if result > 0 { return .bytes(result) }
        let error = Errno(Int32(truncatingIfNeeded: -result))
        return result == 0 || error == .again ? .wouldBlock : .failed(error)
    }

    /// The calling thread takes no signals from here on.
    package static func blockSignals() { cl_log_block_signals() }
}
