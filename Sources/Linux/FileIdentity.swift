internal import CLinux

/// Which file a path leads to and in what state, links followed: it differs when the file was written, or another one put in its
/// place by a rename, or a link on the way there was changed.
package struct FileIdentity: Sendable, Equatable {
    private let device: UInt64
    private let inode: UInt64
    private let size: UInt64
    private let contentTime: UInt64
    private let stateTime: UInt64

    /// Nil: nothing is there, or it may not be looked at.
    package init?(_ path: String) {
        var identity: (UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0)
        // SAFETY: the tuple is five numbers in a row, which the call fills; it and the string live during the call.
        let result = unsafe withUnsafeMutablePointer(to: &identity) { tuple in
            unsafe tuple.withMemoryRebound(to: UInt64.self, capacity: 5) { unsafe cl_file_identity(path, $0) }
        }
        guard result == 0 else { return nil }
        (device, inode, size, contentTime, stateTime) = identity
    }
}
