/// A failed system call's error number.
package struct Errno: Error, Equatable, Hashable, Sendable {
    package let number: Int32

    package init(_ number: Int32) {
        self.number = number
    }

    package static let again = Errno(11)
    package static let interrupted = Errno(4)
    package static let noMemory = Errno(12)
    package static let tooManyFilesInSystem = Errno(23)
    package static let tooManyFiles = Errno(24)
    package static let brokenPipe = Errno(32)
    package static let addressInUse = Errno(98)
    package static let addressNotAvailable = Errno(99)
    package static let networkUnreachable = Errno(101)
    package static let connectionAborted = Errno(103)
    package static let connectionReset = Errno(104)
    package static let noBuffers = Errno(105)
    package static let timedOut = Errno(110)
    package static let connectionRefused = Errno(111)
    package static let hostUnreachable = Errno(113)
    package static let noPermission = Errno(13)
    package static let noEntry = Errno(2)

    /// The number of a call that returns its result or the negated errno.
    package static func check(_ result: Int32) throws(Errno) -> Int32 {
        if result < 0 { throw Errno(-result) }
        return result
    }
}
