import Config
import Containers
import TLS
import Upstream

/// A worker's sessions of one upstream, and the exchanges that wait for one.
struct UpstreamPool: ~Copyable {
    var state: UpstreamState
    var balancer: Balancer
    var cursors: [AddressCursor]
    /// For logs.
    let name: [UInt8]
    let endpointNames: [[UInt8]]
    /// Most recently used idle session of each endpoint; last in, first out.
    var newestIdle: FixedArray<SlabKey>
    var idleCount = 0
    /// HTTP/2 may be spoken with endpoints.
    let multiplexes: Bool
    /// By endpoint: the connection in HTTP/2 that was made last; older ones follow in its list.
    var newestMultiplexed: FixedArray<SlabKey>
    /// By endpoint: the connection that is being made, and may turn out to be one in HTTP/2.
    var opening: FixedArray<SlabKey>
    /// By endpoint: it chose HTTP/1.1 where it had the choice.
    var choseHTTP1: EndpointSet
    /// By endpoint: what a new secure connection is begun with.
    var resumptions: [TLSSession?]
    /// Sessions that went from one exchange of this worker to the next while others waited on other workers.
    var turnsInARow = 0
    /// So many, and the permit is given up. Each time costs a connection.
    static let turnsLimit = 8
    /// Other workers know that there may be idle sessions here.
    var isNoted = false
    /// Idle sessions that it keeps.
    let idleLimit: Int
    /// Nanoseconds after which a connection is not kept any more.
    let maxAge: Int64
    /// Nanoseconds that a connection may be idle.
    let idleTimeout: Int64
    /// Exchanges and calls that wait for a permit, in order. Keys of those that are gone are skipped.
    var waiting = RingQueue<PoolWaiter>()
    /// Snapshot uses and calls that refer to this pool; unused pools without sessions go away.
    var uses = 0
    /// The pool that took over when a reload changed the upstream.
    var successor = SlabKey.none
    var sessions = 0
    /// Of no configuration: made for calls to its origin, kept while it has sessions.
    let isOrigin: Bool

    init(_ state: UpstreamState, random: inout RandomSource, worker: Int, isOrigin: Bool = false) {
        self.state = state
        self.isOrigin = isOrigin
        balancer = Balancer(state, random: &random)
        name = Array(state.name.utf8)
        endpointNames = state.endpoints.map { Array($0.url.utf8) }
        cursors = state.endpoints.map { _ in AddressCursor(start: worker) }
        resumptions = state.endpoints.map { _ in nil }
        newestIdle = FixedArray(repeating: .none, count: state.endpoints.count)
        multiplexes = state.config.protocolVersion != .http1
        newestMultiplexed = FixedArray(repeating: .none, count: multiplexes ? state.endpoints.count : 0)
        opening = FixedArray(repeating: .none, count: multiplexes ? state.endpoints.count : 0)
        choseHTTP1 = EndpointSet()
        let config = state.config.pool
        idleLimit = config.maxIdle ?? config.maxConnections
        maxAge = config.maxAge.wholeNanoseconds
        idleTimeout = config.idleTimeout.wholeNanoseconds
    }

    /// Whether a session of this age may become idle here.
    func mayKeep(age: Int64) -> Bool {
        idleCount < idleLimit && age < maxAge && !state.hasWaiters
    }

    /// Puts a session before the idle ones of an endpoint. Returns the one that was the newest before.
    mutating func pushIdle(_ key: SlabKey, endpoint index: Int) -> SlabKey {
        let newest = newestIdle[index]
        newestIdle[index] = key
        idleCount &+= 1
        return newest
    }

    /// Takes a session out of the idle ones.
    mutating func removeIdle(_ place: IdlePlace, isNewest: Bool) {
        if isNewest, place.endpointIndex >= 0 { newestIdle[place.endpointIndex] = place.older }
        idleCount &-= 1
    }
}
