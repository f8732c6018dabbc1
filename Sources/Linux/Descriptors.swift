internal import CLinux

/// Properties of descriptors that somebody else owns.
package enum Descriptors {
    package static func setCloseOnExec(_ number: Int32) { _ = cl_set_close_on_exec(number, 1) }
    /// A program that is started by `Process.replace` keeps it.
    package static func keepOverExec(_ number: Int32) { _ = cl_set_close_on_exec(number, 0) }
    package static func setNonBlocking(_ number: Int32) { _ = cl_set_nonblocking(number, 1) }

    /// Whether it is a stream socket that listens.
    package static func isListening(_ number: Int32) -> Bool { cl_is_listening(number) == 1 }

    /// Has a listening TCP socket drop requests for new connections, for good and for every holder of it. Handshakes that have
    /// begun still complete, so that after a moment the socket can be closed without anybody being cut off.
    package static func refuseNewConnections(_ number: Int32) { _ = cl_refuse_new_connections(number) }

    /// Another descriptor of the same open file.
    package static func duplicate(_ number: Int32) throws(Errno) -> FileDescriptor {
        FileDescriptor(owning: try Errno.check(cl_duplicate(number)))
    }

    package static func close(_ number: Int32) { _ = cl_close(number) }
}
