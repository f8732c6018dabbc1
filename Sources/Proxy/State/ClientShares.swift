import Containers
import Net

/// Which clients hold how much of a worker's memory, as far as it is worth to know: looked up anew while memory is short.
struct ClientShares {
    /// Nanoseconds that a look is good for.
    private static let validity: Int64 = 100_000_000

    private var bytes: [IPAddress: Int] = [:]
    private var validUntil = Instant(nanoseconds: .min)

    func isStale(now: Instant) -> Bool { now >= validUntil }

    mutating func begin(now: Instant) {
        bytes.removeAll(keepingCapacity: true)
        validUntil = now.advanced(by: Self.validity)
    }

    mutating func add(_ count: Int, of client: IPAddress) { bytes[client.clientKey(), default: 0] += count }

    func held(by client: IPAddress) -> Int { bytes[client.clientKey()] ?? 0 }

    /// What each client could hold if all held the same and together `total`.
    func fairShare(of total: Int) -> Int { total / max(1, bytes.count) }
}
