import Containers
import Linux

/// The pipes of a driver's relays.
///
/// A relay holds a pipe only while bytes are in it: a destination that takes everything needs one for the length of a visit,
/// one that does not keeps it until it is drained.
struct RelayPipes: ~Copyable {
    /// A pipe with bytes that a socket has not taken yet.
    struct Loaded: ~Copyable {
        let pipe: Pipe
        var bytes: Int
    }

    /// Pipes that may hold bytes for slow destinations. Beyond, relays copy: a pipe is two descriptors, and what an ordinary
    /// user's pipes may hold together (`pipe-user-pages-soft`) are 256 pipes of ours.
    static let most = 64
    /// Empty pipes that are kept.
    static let freeLimit = 16
    /// After the kernel refused one (EMFILE, too many pages in pipes) none is asked for so long.
    private static let pause: Int64 = 1_000_000_000

    /// Pipes with bytes at once.
    let limit: Int
    var loaded: Slab<Loaded>
    private var free = FixedArray<Pipe>(capacity: RelayPipes.freeLimit)
    private var refusedUntil = Instant(nanoseconds: .min)

    init(limit: Int) {
        self.limit = limit
        loaded = Slab(limit: max(1, limit))
    }

    /// An empty pipe, nil when there is none to be had: the relay copies then.
    mutating func take(now: Instant) -> Pipe? {
        guard loaded.count < limit else { return nil }
        if let pipe = free.popLast() { return pipe }
        guard now >= refusedUntil else { return nil }
        do throws(Errno) {
            return try Pipe.open()
        } catch {
            refusedUntil = now.advanced(by: Self.pause)
            return nil
        }
    }

    /// Keeps an empty pipe for the next, or closes it.
    mutating func give(_ pipe: consuming Pipe) {
        if !free.isFull { free.append(pipe) }
    }
}
