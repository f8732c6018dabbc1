package import Config
package import Net
package import TLS
private import Synchronization

/// One upstream under one configuration, shared by all workers: its endpoints, and permits that are exact over all of
/// them.
///
/// A reload makes a new one. Counts and the state of endpoints that stay go over to it, so that a permit taken from the
/// old one may be given back to either.
package final class UpstreamState: Sendable {
    /// Retries that are always allowed at once, however few requests are active.
    package static let retriesMinimum = 3

    package let name: String
    package let config: UpstreamConfig
    package let endpoints: [EndpointState]
    /// How TLS is spoken with secure endpoints; nil: there are none.
    package let tls: TLSClientContext?
    /// Weights in order of `endpoints`, each at least 1.
    let weights: [Int]
    let backups: EndpointSet
    /// All weights are the same: turns need no arithmetic.
    let hasEqualWeights: Bool
    /// For `hash`; nil otherwise.
    let table: RendezvousTable?
    private let counters: UpstreamCounters

    private init(
        config: UpstreamConfig, endpoints: [EndpointState], counters: UpstreamCounters, table: RendezvousTable?,
        tls: TLSClientContext?
    ) {
        name = config.name
        self.config = config
        self.endpoints = endpoints
        self.counters = counters
        self.table = table
        self.tls = tls
        let configured = config.endpoints.prefix(endpoints.count)
        weights = configured.map { Self.weight($0) }
        hasEqualWeights = weights.allSatisfy { [first = weights.first] in $0 == first }
        var backups = EndpointSet()
        for (index, endpoint) in configured.enumerated() where endpoint.isBackup { backups.insert(index) }
        self.backups = backups
    }

    /// The state for `config`. `previous` is that of the upstream of the same name before a reload: endpoints with the
    /// same URL, and all counts, are taken over.
    package static func make(
        config: UpstreamConfig, previous: UpstreamState?, tls: TLSClientContext? = nil
    ) -> UpstreamState {
        var known: [String: EndpointState] = [:]
        for endpoint in previous?.endpoints ?? [] { known[endpoint.url] = endpoint }
        let configured = config.endpoints.prefix(EndpointSet.capacity)
        let endpoints = configured.map { known[$0.url] ?? EndpointState($0) }
        var table: RendezvousTable?
        if case .hash = config.balance {
            let members = configured.enumerated().filter { !$0.element.isBackup }.map {
                RendezvousTable.Member(index: $0.offset, url: $0.element.url, weight: weight($0.element))
            }
            table = previous?.table.flatMap { $0.members == members ? $0 : nil } ?? RendezvousTable(members)
        }
        return UpstreamState(
            config: config, endpoints: endpoints, counters: previous?.counters ?? UpstreamCounters(), table: table,
            tls: tls)
    }

    /// The configured weight, in bounds that no product of a weight and a count of requests can leave.
    private static func weight(_ endpoint: UpstreamConfig.Endpoint) -> Int { min(max(1, endpoint.weight), 1 << 20) }

    /// Hands what the resolver found to the endpoints of that name.
    package func setAddresses(of name: String, _ addresses: [IPAddress]) {
        for endpoint in endpoints {
            if case .name(name, _) = endpoint.target { endpoint.setAddresses(addresses) }
        }
    }

    /// Whether at least one endpoint has an address. Tells `dnsError` from `noEndpoint`.
    package var hasResolvedEndpoint: Bool { endpoints.contains { $0.isResolved } }
}

// MARK: Requests and retries

extension UpstreamState {
    /// Requests that are with an endpoint or wait for a connection.
    package var activeRequests: Int {
        endpoints.reduce(counters.pending.current) { $0 + max(0, $1.inFlight.load(ordering: .relaxed)) }
    }

    package var allowsRetries: Bool { config.retries.attempts > 0 }

    /// Asks for leave to try once more. `attempts` counts the retries this exchange has had. True: call `endRetry` when
    /// the attempt is over.
    package func beginRetry(attempts: Int) -> Bool {
        guard attempts < config.retries.attempts else { return false }
        let share = activeRequests.multipliedReportingOverflow(by: max(0, config.retries.budgetPercent))
        let limit = max(Self.retriesMinimum, share.overflow ? .max : share.partialValue / 100)
        return counters.retries.raise(below: limit)
    }

    package func endRetry() {
        counters.retries.lower()
    }
}

// MARK: Permits

extension UpstreamState {
    /// Takes a permit for one connection. False: `max_connections` are open already.
    package func acquireConnection(endpoint index: Int) -> Bool {
        guard counters.connections.raise(below: config.pool.maxConnections) else { return false }
        endpoints[index].connections.wrappingAdd(1, ordering: .relaxed)
        return true
    }

    /// As `acquireConnection`; but when there is no permit, `worker` is noted as waiting, and no release can slip in
    /// between.
    ///
    /// A worker may be woken for a permit that it got this way, or that is gone again: it asks once more and goes on.
    package func acquireConnection(endpoint index: Int, orWakeLater worker: Int) -> Bool {
        if acquireConnection(endpoint: index) { return true }
        counters.waiters.insert(worker)
        return acquireConnection(endpoint: index)
    }

    /// Gives a permit back. Afterwards, wake the worker of `takeWaiter`.
    package func releaseConnection(endpoint index: Int) {
        endpoints[index].connections.wrappingSubtract(1, ordering: .relaxed)
        counters.connections.lower()
    }

    /// As `releaseConnection`, for an endpoint that a reload removed from this upstream.
    package func releaseConnection(of endpoint: EndpointState) {
        endpoint.connections.wrappingSubtract(1, ordering: .relaxed)
        counters.connections.lower()
    }

    /// Notes that a worker waits for a permit.
    package func addWaiter(_ worker: Int) { counters.waiters.insert(worker) }
    /// Whether any worker waits for a permit: a session that has nothing to do is then closed, not kept.
    package var hasWaiters: Bool { !counters.waiters.isEmpty }
    /// Whether a worker other than this one waits for a permit.
    package func hasWaiters(besides worker: Int) -> Bool { counters.waiters.hasMember(besides: worker) }
    /// A worker that waits for a permit, each in its turn; it is no longer noted. Wake it.
    package func takeWaiter() -> Int? { counters.waiters.take() }

    /// Notes that a worker holds idle sessions. The note stays when it has none any more.
    package func noteIdle(_ worker: Int) { counters.idleHolders.insert(worker) }

    /// Another worker that may hold idle sessions: ask it to close one. It is no longer noted until it says so again.
    package func takeIdleHolder(except worker: Int) -> Int? { counters.idleHolders.take(except: worker) }

    /// Takes a place in the queue of exchanges that wait for a connection. False: `max_pending` wait already.
    package func enterQueue() -> Bool { counters.pending.raise(below: config.pool.maxPending) }
    package func leaveQueue() { counters.pending.lower() }
}

// MARK: Gauges

extension UpstreamState {
    /// Counts at one moment, over all workers. For status pages and metrics.
    package struct Gauges: Sendable, Equatable {
        package var connections: Int
        package var pending: Int
        package var retries: Int
        package var requests: Int
    }

    package var gauges: Gauges {
        Gauges(
            connections: counters.connections.current, pending: counters.pending.current,
            retries: counters.retries.current, requests: activeRequests)
    }
}
