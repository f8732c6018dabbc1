public import CLinux

/// Memory that two processes see, with a word for each worker of a gateway process: the worker counts its turns there, and
/// the supervisor sees whether it goes on.
///
/// Each process has a mapping of its own. A word has one writer, and nobody draws conclusions from it about other memory.
@safe
@usableFromInline
package struct Heartbeats: ~Copyable {
    /// Workers that have a word.
    package static let limit = 1_024
    /// Words from one worker's to the next: each has a cache line to itself.
    private static let stride = 8
    private static let size = limit * 8 * 8

    /// In place of a count: not begun, or over.
    package static let never: UInt64 = 0
    package static let ended = UInt64.max

    private let words: UnsafeMutablePointer<UInt64>
    /// The word of the worker that this mapping is for.
    @usableFromInline let own: UnsafeMutablePointer<UInt64>

    /// A file for two processes. Its size is sealed, so that neither can take the memory away from the other.
    package static func file() throws(Errno) -> FileDescriptor {
        // SAFETY: the string lives during the call.
        FileDescriptor(owning: try Errno.check(unsafe cl_shared_file("martlet-heartbeats", size)))
    }

    /// Maps such a file; nil: memory that nobody else sees.
    ///
    /// - Parameter worker: whose count `beat` sets.
    package init(mapping file: Int32?, worker: Int = 0) throws(Errno) {
        precondition(worker >= 0 && worker < Self.limit)
        var failure: Int32 = 0
        // SAFETY: the number lives here; on success there are `size` bytes, zero at first, page-aligned.
        guard let memory = unsafe cl_map(file ?? -1, Self.size, &failure) else { throw Errno(-failure) }
        unsafe words = memory.bindMemory(to: UInt64.self, capacity: Self.size / 8)
        // SAFETY: there are `stride` words for each of `limit` workers.
        unsafe own = words + worker * Self.stride
    }

    deinit {
        // SAFETY: mapped in `init`, and nothing has a pointer into it but this value.
        unsafe cl_unmap(words, Self.size)
    }

    /// One store: this is done in every turn.
    @inlinable
    package func beat(_ count: UInt64) {
        // SAFETY: `own` points into the mapping, which lives as long as this value.
        unsafe cl_store_relaxed(own, count)
    }

    package func count(_ worker: Int) -> UInt64 {
        precondition(worker >= 0 && worker < Self.limit)
        // SAFETY: there are `stride` words for each of `limit` workers.
        return unsafe cl_load_relaxed(words + worker * Self.stride)
    }
}
