import Containers
import Middleware
import Routing

/// A snapshot as one worker uses it: one strong reference, counted in integers.
struct SnapshotUse: ~Copyable {
    let snapshot: Snapshot
    /// Exchanges that run under it, and one for being the current one.
    var uses = 1
    /// The worker's pool of each of the snapshot's upstreams.
    let pools: [SlabKey]
    /// As the snapshot says: asked for each request, and reading it here counts no reference.
    let isLogged: Bool
    /// Whether clients' requests have to lose `identityFields`.
    let hasIdentityFields: Bool
    let identityFields: IdentityFields
    /// By number of the listener, as in the snapshot.
    let routers: [Router?]

    init(snapshot: Snapshot, pools: [SlabKey]) {
        self.snapshot = snapshot
        self.pools = pools
        isLogged = snapshot.isLogged
        identityFields = snapshot.identityFields
        hasIdentityFields = !identityFields.isEmpty
        routers = snapshot.routers
    }

    /// The routes for connections of a listener, which may be of an older snapshot: its number counts. Nil: the listener is gone.
    func router(ofListener number: Int) -> Router? {
        number < routers.count ? routers[number] : nil
    }
}
