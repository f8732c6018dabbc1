/// A failed system call's error number.
@usableFromInline
package struct Errno: Error, Equatable, Hashable, Sendable {
    @usableFromInline package let number: Int32

    @inlinable
    package init(_ number: Int32) {
        self.number = number
    }

    @inlinable package static var again: Errno { Errno(11) }
    @inlinable package static var interrupted: Errno { Errno(4) }
    @inlinable package static var noMemory: Errno { Errno(12) }
    @inlinable package static var tooManyFilesInSystem: Errno { Errno(23) }
    @inlinable package static var tooManyFiles: Errno { Errno(24) }
    @inlinable package static var brokenPipe: Errno { Errno(32) }
    @inlinable package static var addressInUse: Errno { Errno(98) }
    @inlinable package static var addressNotAvailable: Errno { Errno(99) }
    @inlinable package static var networkUnreachable: Errno { Errno(101) }
    @inlinable package static var connectionAborted: Errno { Errno(103) }
    @inlinable package static var connectionReset: Errno { Errno(104) }
    @inlinable package static var noBuffers: Errno { Errno(105) }
    @inlinable package static var timedOut: Errno { Errno(110) }
    @inlinable package static var connectionRefused: Errno { Errno(111) }
    @inlinable package static var hostUnreachable: Errno { Errno(113) }
    @inlinable package static var noPermission: Errno { Errno(13) }
    @inlinable package static var noEntry: Errno { Errno(2) }

    /// The number of a call that returns its result or the negated errno.
    @inlinable
    package static func check(_ result: Int32) throws(Errno) -> Int32 {
        if result < 0 { throw Errno(-result) }
        return result
    }
}
