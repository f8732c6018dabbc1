package import Config
package import Containers
package import Net
package import Synchronization

/// What all workers know of one endpoint: how busy it is, whether it can be reached, and where it is.
///
/// It outlives the configuration that named it: the next one that has the same URL in the same upstream goes on with it.
/// Weight and backup role are the configuration's and stand in `UpstreamState`.
///
///             3rd failure in a row                    back-off over, one request claims the trial
///     usable ----------------------> set aside ------------------------------------------------> on trial
///        ^                               ^                                                         | |
///        |                               +------------- failure: back-off doubles (1 s to 30 s) ---+ |
///        +-------------------------------------------------------------------------------- success --+
package final class EndpointState: Sendable {
    /// Connect failures in a row after which an endpoint is set aside.
    package static let failuresLimit = 3
    package static let shortestBackOff: Int64 = 1_000_000_000
    package static let longestBackOff: Int64 = 30_000_000_000

    private struct Health {
        /// How often the back-off has doubled.
        var doublings = 0
        var isOnTrial = false

        var backOff: Int64 { min(shortestBackOff << Int64(min(doublings, 16)), longestBackOff) }
    }

    /// Requests that are on their way to it or wait for its answer.
    package let inFlight = Atomic<Int>(0)
    /// Keeps what changes with every request off the cache line of what every request only reads.
    private let distance = InlineArray<8, UInt64>(repeating: 0)

    /// Monotonic nanoseconds until which it is set aside; 0: it is not.
    private let asideUntil = Atomic<Int64>(0)
    private let failures = Atomic<Int>(0)
    /// Generation of `addresses`, shifted left by one; the lowest bit says whether there is any.
    private let addressMark: Atomic<UInt64>
    /// Open connections of all workers, also those being made.
    package let connections = Atomic<Int>(0)

    /// As configured: identity over reloads and name in logs.
    package let url: String
    package let target: UpstreamConfig.Endpoint.Target
    /// host[:port] of the URL.
    package let authority: String
    private let health = Mutex(Health())
    private let addresses: Mutex<[SocketAddress]>

    package init(_ config: UpstreamConfig.Endpoint) {
        url = config.url
        target = config.target
        authority = config.authority
        switch config.target {
        case .address(let address):
            addresses = Mutex([address])
            addressMark = Atomic(1 << 1 | 1)
        case .unix(let path):
            addresses = Mutex([.unix(path: path)])
            addressMark = Atomic(1 << 1 | 1)
        case .name:
            addresses = Mutex([])
            addressMark = Atomic(0)
        }
    }

    /// Whether an address is known.
    @inline(__always)
    package var isResolved: Bool { addressMark.load(ordering: .relaxed) & 1 != 0 }

    /// Whether it may be chosen: an address is known, and it is not set aside or due for a trial.
    @inline(__always)
    package func isUsable(now: Instant) -> Bool {
        guard isResolved else { return false }
        let until = asideUntil.load(ordering: .relaxed)
        return until == 0 || until <= now.nanoseconds
    }

    /// Whether it is set aside, whatever the time. For status pages.
    package var isSetAside: Bool { asideUntil.load(ordering: .relaxed) != 0 }

    /// Takes the right to send to it. False when it is set aside, or when another worker has just begun the one trial.
    @inline(__always)
    func claim(now: Instant) -> Bool {
        asideUntil.load(ordering: .relaxed) == 0 || claimTrial(now: now)
    }

    @inline(never)
    private func claimTrial(now: Instant) -> Bool {
        health.withLock { health in
            let until = asideUntil.load(ordering: .relaxed)
            if until == 0 { return true }
            guard until <= now.nanoseconds else { return false }
            // A trial that ends without a word (its client went away) is followed by another after the same time.
            health.isOnTrial = true
            asideUntil.store(Self.moment(now, health.backOff), ordering: .relaxed)
            return true
        }
    }

    /// Notes that it refused a connection or let it time out.
    package func noteConnectFailure(now: Instant) {
        health.withLock { health in
            let count = min(failures.load(ordering: .relaxed) + 1, Self.failuresLimit)
            failures.store(count, ordering: .relaxed)
            if asideUntil.load(ordering: .relaxed) == 0 {
                guard count == Self.failuresLimit else { return }
                health = Health()
            } else {
                // Failures of attempts that began before it was set aside, or for want of any other, say nothing new.
                guard health.isOnTrial else { return }
                health.isOnTrial = false
                health.doublings = min(health.doublings + 1, 16)
            }
            asideUntil.store(Self.moment(now, health.backOff), ordering: .relaxed)
        }
    }

    /// Notes that it took a connection or answered a request.
    @inline(__always)
    package func noteSuccess() {
        if failures.load(ordering: .relaxed) != 0 { recover() }
    }

    @inline(never)
    private func recover() {
        health.withLock { health in
            health = Health()
            failures.store(0, ordering: .relaxed)
            asideUntil.store(0, ordering: .relaxed)
        }
    }

    private static func moment(_ now: Instant, _ delay: Int64) -> Int64 {
        max(1, now.advanced(by: delay).nanoseconds)
    }
}

extension EndpointState {
    /// Changes whenever the addresses do. A worker compares it with the generation of its copy.
    @inline(__always)
    package var addressGeneration: UInt64 { addressMark.load(ordering: .acquiring) >> 1 }

    /// The addresses at this moment with their generation.
    package func currentAddresses() -> (generation: UInt64, addresses: [SocketAddress]) {
        addresses.withLock { list in (addressMark.load(ordering: .relaxed) >> 1, list) }
    }

    /// Takes over what the resolver found for the name of this endpoint. Ignored by an endpoint that is an address itself.
    package func setAddresses(_ found: [IPAddress]) {
        guard case .name(_, let port) = target else { return }
        let new = found.map { SocketAddress.ip($0, port: port) }
        addresses.withLock { list in
            guard list != new else { return }
            list = new
            let generation = addressMark.load(ordering: .relaxed) >> 1
            addressMark.store((generation &+ 1) << 1 | (new.isEmpty ? 0 : 1), ordering: .releasing)
        }
    }
}
