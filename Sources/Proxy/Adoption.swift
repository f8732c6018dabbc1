import Containers
import Linux
import Synchronization

/// Tells when every worker runs new requests under a configuration, and listens where it says.
package final class Adoption: Sendable {
    private let missing: Atomic<Int>
    private let over: EventFD

    init(workers: Int) throws(Errno) {
        missing = Atomic(workers)
        over = try EventFD()
    }

    /// One worker has come so far, or has ended.
    func note() {
        if missing.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue == 0 { over.signal() }
    }

    /// How many workers have not come so far after that time at most.
    func wait(milliseconds: Int64) -> Int {
        let end = Clock.monotonic.advanced(by: milliseconds * 1_000_000)
        while true {
            let left = missing.load(ordering: .acquiring)
            let rest = end.since(Clock.monotonic) / 1_000_000
            if left == 0 || rest <= 0 { return left }
            _ = Poll.wait([over.number], milliseconds: Int32(clamping: rest))
        }
    }
}
