import Containers

/// What a worker holds at this moment.
package struct WorkerAccounts: Sendable, Equatable {
    package var downstreams = 0
    package var upstreams = 0
    package var exchanges = 0
    /// What exchanges keep apart: state of chunked content, middleware and tunnels.
    package var exchangeParts = 0
    /// Of connections in HTTP/2: their state, that of their streams, and what those have queued.
    package var multiplexed = 0
    /// Of clients of our own.
    package var calls = 0
    /// Deadlines that are set.
    package var timers = 0
    /// Snapshots that are in force or still used.
    package var snapshots = 0
    /// Pools of upstreams, also of those that no configuration names any more.
    package var pools = 0

    package init() {}
}

extension Worker where Driver: ~Copyable {
    package var accounts: WorkerAccounts {
        var accounts = WorkerAccounts()
        accounts.downstreams = downstreams.count
        accounts.upstreams = sessions.count
        accounts.exchanges = exchanges.count
        accounts.exchangeParts = chunks.count + chainSlots.count + tunnels.count
        accounts.multiplexed = driver.multiplexers.count + driver.streams.count + driver.outputs.count
        accounts.calls = calls.count
        accounts.timers = timers.count + callTimers.count
        accounts.snapshots = snapshots.count
        accounts.pools = pools.count
        return accounts
    }

    /// Bytes that the stream with most of them holds, of both directions.
    package mutating func mostBytesOfStream() -> Int {
        var most = 0
        for place in driver.streams.indices {
            guard let key = driver.streams.key(at: place) else { continue }
            most = max(most, driver.streams[key].queuedBytes, driver.streams[key].inbound?.count ?? 0)
        }
        return most
    }
}
