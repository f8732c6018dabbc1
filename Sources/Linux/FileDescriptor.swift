internal import CLinux

/// A file descriptor with one owner; closed when it goes away.
@usableFromInline
package struct FileDescriptor: ~Copyable, Sendable {
    /// The kernel's number, valid as long as this value lives.
    @usableFromInline package let number: Int32

    /// Takes over an open descriptor.
    package init(owning number: Int32) {
        self.number = number
    }

    deinit {
        _ = cl_close(number)
    }

    /// Closes with a TCP reset, so that the peer sees that something is missing.
    package consuming func abort() {
        let number = self.number
        discard self
        _ = cl_abort(number)
    }

    /// Gives the descriptor away without closing it.
    package consuming func release() -> Int32 {
        let number = self.number
        discard self
        return number
    }
}
