import Containers
import EventLoop
import TLS
import Telemetry

/// Work that is done now and then.
enum Housekeeping {
    /// Nanoseconds between two rounds.
    static let interval: Int64 = 1_000_000_000
}

extension Worker where Driver: ~Copyable {
    mutating func keepHouse() {
        nextHousekeeping = driver.now.advanced(by: Housekeeping.interval)
        if exchanges.count == 0 || memoryLevel != .free { driver.buffers.trim() }
        let pauses = driver.acceptPauses
        if pauses != reportedPauses {
            refusals.noteAcceptPauses(pauses &- reportedPauses)
            counters.acceptPauses &+= Int64(pauses &- reportedPauses)
            reportedPauses = pauses
        }
        for index in pools.indices {
            guard let key = pools.key(at: index), pools[key].uses == 0, pools[key].sessions == 0 else { continue }
            pools.remove(key)
        }
        if context.index == 0 { currentSnapshot?.tickets?.keepFresh(now: driver.now) }
        if !refusals.isEmpty {
            for refusal in refusals.takeAll() { context.report(refusal) }
        }
        continueDraining()
    }
}
