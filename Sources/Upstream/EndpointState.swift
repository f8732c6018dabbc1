package import Config
package import Containers
package import Net
package import Synchronization

/// What all workers know of one endpoint: how busy it is, whether it can be reached, and where it is.
///
/// It outlives the configuration that named it: the next one that has the same URL in the same upstream goes on with
/// it. Weight and backup role are the configuration's and stand in `UpstreamState`.
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

    private struct Record {
        /// Generation of the addresses.
        var generation: UInt64
        var addresses: [SocketAddress]
        /// Connect failures in a row, counted up to `failuresLimit`.
        var failures = 0
        /// When the back-off is over; 0: it is not set aside.
        var asideUntil: Int64 = 0
        /// How often the back-off has doubled.
        var doublings = 0
        var isOnTrial = false

        mutating func setAside(_ now: Instant) {
            let backOff = min(shortestBackOff << Int64(min(doublings, 16)), longestBackOff)
            asideUntil = max(1, now.advanced(by: backOff).nanoseconds)
        }
    }

    /// Requests that are on their way to it or wait for its answer.
    package let inFlight = Atomic<Int>(0)
    /// Keeps what changes with every request off the cache line of what every request only reads.
    private let distance = InlineArray<8, UInt64>(repeating: 0)

    /// Monotonic nanoseconds from which it may be chosen; 0: always, `.max`: it has no address. All that a choice reads
    /// of it: a second load of the same object would cost a retain (the compiler keeps the object alive between the
    /// two).
    private let usableFrom = Atomic<Int64>(0)
    /// Whether there have been failures since the last success.
    private let isSuspect = Atomic<Bool>(false)
    private let generation = Atomic<UInt64>(0)
    /// Open connections of all workers, also those being made.
    package let connections = Atomic<Int>(0)

    /// As configured: identity over reloads and name in logs.
    package let url: String
    package let target: UpstreamConfig.Endpoint.Target
    /// TLS is spoken with it.
    package let isSecure: Bool
    /// host[:port] of the URL.
    package let authority: String
    private let record: Mutex<Record>

    package init(_ config: UpstreamConfig.Endpoint) {
        url = config.url
        target = config.target
        authority = config.authority
        isSecure = config.isTLS
        var addresses: [SocketAddress] = []
        switch config.target {
        case .address(let address): addresses = [address]
        case .unix(let path): addresses = [.unix(path: path)]
        case .name: break
        }
        record = Mutex(Record(generation: 0, addresses: addresses))
        if addresses.isEmpty { usableFrom.store(.max, ordering: .relaxed) }
    }

    /// Whether an address is known.
    package var isResolved: Bool { usableFrom.load(ordering: .relaxed) != .max }

    /// Whether it may be chosen: an address is known, and it is not set aside or due for a trial.
    @inline(__always)
    package func isUsable(now: Instant) -> Bool { usableFrom.load(ordering: .relaxed) <= max(0, now.nanoseconds) }

    /// Whether it may be chosen and needs no claim.
    @inline(__always)
    var isFree: Bool { usableFrom.load(ordering: .relaxed) == 0 }

    /// Whether it is set aside, whatever the time. For status pages.
    package var isSetAside: Bool { record.withLock { $0.asideUntil != 0 } }

    /// Takes the right to send to it. False when it is set aside, or when another worker has just begun the one trial.
    @inline(never)
    func claim(now: Instant) -> Bool {
        change { record in
            if record.asideUntil == 0 { return true }
            guard record.asideUntil <= now.nanoseconds else { return false }
            // A trial that ends without a word (its client went away) is followed by another after the same time.
            record.isOnTrial = true
            record.setAside(now)
            return true
        }
    }

    /// Notes that it refused a connection or let it time out.
    package func noteConnectFailure(now: Instant) {
        change { record in
            record.failures = min(record.failures + 1, Self.failuresLimit)
            if record.asideUntil == 0 {
                guard record.failures == Self.failuresLimit else { return }
                record.doublings = 0
            } else {
                // Failures of attempts that began before it was set aside, or for want of any other, say nothing new.
                guard record.isOnTrial else { return }
                record.isOnTrial = false
                record.doublings = min(record.doublings + 1, 16)
            }
            record.setAside(now)
        }
    }

    /// Notes that it took a connection or answered a request. Costs one load while all is well.
    @inline(__always)
    package func noteSuccess() {
        if isSuspect.load(ordering: .relaxed) { recover() }
    }

    @inline(never)
    private func recover() {
        change { record in
            record.failures = 0
            record.asideUntil = 0
            record.doublings = 0
            record.isOnTrial = false
        }
    }

    /// Changes the record and publishes what is read without the lock.
    private func change<Result>(_ body: (inout Record) -> Result) -> Result {
        record.withLock { record in
            let result = body(&record)
            isSuspect.store(record.failures != 0, ordering: .relaxed)
            usableFrom.store(record.addresses.isEmpty ? .max : record.asideUntil, ordering: .relaxed)
            generation.store(record.generation, ordering: .releasing)
            return result
        }
    }
}

extension EndpointState {
    /// Changes whenever the addresses do. A worker compares it with the generation of its copy.
    package var addressGeneration: UInt64 { generation.load(ordering: .acquiring) }

    /// The addresses at this moment with their generation.
    package func currentAddresses() -> (generation: UInt64, addresses: [SocketAddress]) {
        record.withLock { ($0.generation, $0.addresses) }
    }

    /// Takes over what the resolver found for the name of this endpoint. Ignored by an endpoint that is an address
    /// itself.
    package func setAddresses(_ found: [IPAddress]) {
        guard case .name(_, let port) = target else { return }
        let new = found.map { SocketAddress.ip($0, port: port) }
        change { record in
            guard record.addresses != new else { return }
            record.addresses = new
            record.generation &+= 1
        }
    }
}
