import Containers
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
    var newestIdle: [SlabKey]
    var idleCount = 0
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
        newestIdle = state.endpoints.map { _ in .none }
    }
}
