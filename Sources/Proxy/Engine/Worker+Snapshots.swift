import Config
import Containers
import Upstream

/// Which snapshot is in force, which are still used, and the pools that go with them.
extension Worker where Driver: ~Copyable {
    /// New requests run under `snapshot` from here on; running ones keep theirs.
    mutating func adopt(_ snapshot: Snapshot) {
        var keys: [SlabKey] = []
        for state in snapshot.upstreams { keys.append(pool(for: state)) }
        guard let use = snapshots.insert(SnapshotUse(snapshot: snapshot, pools: keys)) else { return }
        for key in keys { pools[key].uses &+= 1 }
        let previous = current
        current = use
        if snapshots.contains(previous) { releaseSnapshot(previous) }
    }

    /// The pool of an upstream: the one that stands, or a new one that takes over its idle sessions.
    private mutating func pool(for state: UpstreamState) -> SlabKey {
        var predecessor = SlabKey.none
        for index in pools.indices {
            guard let key = pools.key(at: index), !pools.contains(pools[key].successor) else { continue }
            if pools[key].state === state { return key }
            if pools[key].state.name == state.name { predecessor = key }
        }
        guard let key = pools.insert(UpstreamPool(state, random: &random, worker: context.index)) else { return .none }
        if pools.contains(predecessor) {
            pools[predecessor].successor = key
            closeMultiplexed(predecessor)
            moveIdle(from: predecessor, to: key)
        }
        return key
    }

    /// Idle sessions of endpoints that stay go over to the new pool; the others are closed.
    private mutating func moveIdle(from old: SlabKey, to new: SlabKey) {
        // Connections on which the endpoint proved itself otherwise, or we to it, are not those of the new configuration.
        let keepsSecure = pools[old].state.config.tls == pools[new].state.config.tls
        let keepsVersion = pools[old].state.config.protocolVersion == pools[new].state.config.protocolVersion
        for index in 0..<pools[old].newestIdle.count {
            while sessions.contains(pools[old].newestIdle[index]) {
                let key = pools[old].newestIdle[index]
                unlinkIdle(key)
                rehome(key, new)
                if sessions[key].endpointIndex >= 0, keepsVersion, keepsSecure || !sessions[key].isSecure {
                    becomeIdle(key)
                } else {
                    closeSession(key)
                }
            }
        }
    }

    /// Makes a session one of another pool of the same upstream. Its endpoint index is -1 when that pool does not have it.
    mutating func rehome(_ key: SlabKey, _ new: SlabKey) {
        let endpoint = sessions[key].endpoint
        pools[sessions[key].pool].sessions &-= 1
        pools[new].sessions &+= 1
        sessions[key].pool = new
        sessions[key].endpointIndex = pools[new].state.endpoints.firstIndex { $0 === endpoint } ?? -1
    }

    mutating func releaseSnapshot(_ use: SlabKey) {
        snapshots[use].uses &-= 1
        guard snapshots[use].uses == 0, use != current else { return }
        guard let ended = snapshots.remove(use) else { return }
        for key in ended.pools where pools.contains(key) {
            pools[key].uses &-= 1
            if pools[key].uses == 0 { retirePool(key) }
        }
    }

    /// No snapshot and no call refers to the pool any more: idle sessions are closed; busy ones close when they end.
    mutating func retirePool(_ key: SlabKey) {
        for index in 0..<pools[key].newestIdle.count {
            while sessions.contains(pools[key].newestIdle[index]) { closeSession(pools[key].newestIdle[index]) }
        }
        closeMultiplexed(key)
        if pools.contains(key), pools[key].sessions == 0 { pools.remove(key) }
    }

    /// The upstream's pool for new requests, nil when no snapshot in force names it.
    func livePool(named name: String) -> SlabKey? {
        for index in pools.indices {
            guard let key = pools.key(at: index), pools[key].state.name == name else { continue }
            if !pools.contains(pools[key].successor) { return key }
        }
        return nil
    }
}
