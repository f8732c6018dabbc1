public import CLinux

/// An epoll instance and the events of its last wait.
@safe
@usableFromInline
package struct Epoll: ~Copyable {
    /// What is ready on a descriptor.
    @usableFromInline
    package struct Readiness: Sendable {
        @usableFromInline let bits: UInt32

        @inlinable
        init(bits: UInt32) { self.bits = bits }

        @inlinable package var isReadable: Bool { bits & EPOLLIN.rawValue != 0 }
        @inlinable package var isWritable: Bool { bits & EPOLLOUT.rawValue != 0 }
        /// The peer ended its direction, or both are gone.
        @inlinable package var isEnding: Bool { bits & (EPOLLRDHUP.rawValue | EPOLLHUP.rawValue) != 0 }
        @inlinable package var isBroken: Bool { bits & EPOLLERR.rawValue != 0 }
        /// Ending or broken.
        @inlinable package var isOver: Bool {
            bits & (EPOLLRDHUP.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0
        }
    }

    @usableFromInline let descriptor: FileDescriptor
    @usableFromInline let events: UnsafeMutablePointer<epoll_event>
    @inlinable static var capacity: Int { 256 }
    /// Events of the last wait.
    @usableFromInline package internal(set) var count = 0

    package init() throws(Errno) {
        descriptor = FileDescriptor(owning: try Errno.check(cl_epoll_create()))
        // SAFETY: owned by this value until `deinit`.
        unsafe events = .allocate(capacity: Self.capacity)
    }

    deinit {
        // SAFETY: allocated in `init`; epoll_event is trivial.
        unsafe events.deallocate()
    }

    /// Watches a connection edge-triggered in both directions, once for its whole life.
    package func addConnection(_ number: Int32, data: UInt64) -> Errno? {
        let result = cl_epoll_add(descriptor.number, number, cl_epoll_edge(), data)
        return result < 0 ? Errno(-result) : nil
    }

    /// Watches a listening socket; of several instances that watch it, one is woken (EPOLLEXCLUSIVE).
    package func addListener(_ number: Int32, data: UInt64) -> Errno? {
        let result = cl_epoll_add(descriptor.number, number, cl_epoll_exclusive(), data)
        return result < 0 ? Errno(-result) : nil
    }

    /// Watches for reading, level-triggered.
    package func addReader(_ number: Int32, data: UInt64) -> Errno? {
        let result = cl_epoll_add(descriptor.number, number, EPOLLIN.rawValue, data)
        return result < 0 ? Errno(-result) : nil
    }

    package func remove(_ number: Int32) {
        _ = cl_epoll_remove(descriptor.number, number)
    }

    /// Waits for events; a negative timeout waits for ever. An interrupted wait has no events.
    @inlinable
    package mutating func wait(nanoseconds: Int64) {
        // SAFETY: the array has `capacity` places.
        let result = unsafe cl_epoll_wait(descriptor.number, events, Int32(Self.capacity), nanoseconds)
        count = max(0, Int(result))
    }

    /// The event at `index` of the last wait.
    @inlinable
    package func event(_ index: Int) -> (data: UInt64, readiness: Readiness) {
        precondition(index >= 0 && index < count)
        // SAFETY: the kernel filled the first `count` places.
        let event = unsafe events[index]
        return (unsafe event.data.u64, unsafe Readiness(bits: event.events))
    }
}
