internal import CLinux

/// A counter that wakes an epoll from any thread.
package struct EventFD: ~Copyable, Sendable {
    private let descriptor: FileDescriptor

    package init() throws(Errno) {
        descriptor = FileDescriptor(owning: try Errno.check(cl_eventfd()))
    }

    package var number: Int32 { descriptor.number }

    package func signal() { _ = cl_eventfd_signal(descriptor.number) }

    package func clear() { _ = cl_eventfd_clear(descriptor.number) }
}
