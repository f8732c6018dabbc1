import Config
import Containers
import Net
import Proxy

/// What kind of world a seed makes, but for what goes wrong in it: workers, limits, and how it ends.
package struct WorldPlan: Sendable {
    package enum Ending: Sendable, Equatable {
        /// The workers go on after the last client.
        case none
        /// After so much time the gateway is told to end within another.
        case drains(after: Int64, timeout: Int64)
        case stops(after: Int64)
    }

    package var workers: Int
    /// Connections that one worker may have.
    package var connectionsLimit: Int
    /// Content from which on a worker has its driver move it.
    package var relayedLength: Int
    package var ending: Ending
    /// Clients that speak HTTP/2.
    package var http2Clients: Int

    package init(seed: UInt64) {
        var random = RandomSource(seed: seed ^ 0x3041_1D00)
        workers = [1, 1, 2, 2, 3, 4][random.below(6)]
        connectionsLimit = 400
        relayedLength = [1, 1, 500, WorkerContext.relayedLengthDefault, .max][random.below(5)]
        let after = Int64(50 + random.below(3_000)) * 1_000_000
        switch random.below(8) {
        case 0, 1: ending = .drains(after: after, timeout: Int64([1, 20, 200][random.below(3)]) * 1_000_000_000)
        case 2: ending = .stops(after: after)
        default: ending = .none
        }
        http2Clients = random.below(2) * random.below(5)
    }
}
