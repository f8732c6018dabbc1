import Containers

/// A snapshot as one worker uses it: one strong reference, counted in integers.
struct SnapshotUse: ~Copyable {
    let snapshot: Snapshot
    /// Exchanges that run under it, and one for being the current one.
    var uses = 1
    /// The worker's pool of each of the snapshot's upstreams.
    let pools: [SlabKey]
    /// As the snapshot says: asked for each request, and reading it here counts no reference.
    let isLogged: Bool

    init(snapshot: Snapshot, pools: [SlabKey]) {
        self.snapshot = snapshot
        self.pools = pools
        isLogged = snapshot.isLogged
    }
}
