internal import Containers
internal import Synchronization

/// A piece of memory full of lines. One owner at a time writes or reads it: a lane, the queue, the writer; the lock is
/// only how the compiler knows.
final class LogChunk: Sendable {
    static let capacity = 65_536

    struct Content: ~Copyable {
        var buffer = Buffer(capacity: LogChunk.capacity)
        /// Entries in `buffer`.
        var lines = 0

        mutating func clear() {
            buffer.clear()
            lines = 0
        }
    }

    let content = Mutex(Content())
}
