import Containers
import EventLoop

/// Work that is done now and then.
enum Housekeeping {
    /// Nanoseconds between two rounds.
    static let interval: Int64 = 1_000_000_000
}

extension Worker where Driver: ~Copyable {
    mutating func keepHouse() {
        nextHousekeeping = driver.now.advanced(by: Housekeeping.interval)
        if exchanges.count == 0 { driver.buffers.trim() }
        for index in pools.indices {
            guard let key = pools.key(at: index), pools[key].uses == 0, pools[key].sessions == 0 else { continue }
            pools.remove(key)
        }
        if !refusals.isEmpty {
            for refusal in refusals.takeAll() { context.report(refusal) }
        }
        continueDraining()
    }
}
