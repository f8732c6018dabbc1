import Config
import Synchronization
import Upstream

/// The origins that a session talks to: one pool for each.
final class OriginTable: Sendable {
    /// Origins that are kept; beyond it the one that was used longest ago is forgotten.
    static let limit = 256

    private struct Origins {
        var states: [String: (state: UpstreamState, use: UInt64)] = [:]
        var uses: UInt64 = 0
    }

    private let origins = Mutex(Origins())
    private let timeouts: ClientTimeouts
    private let pool: UpstreamConfig.Pool

    init(timeouts: ClientTimeouts, pool: UpstreamConfig.Pool) {
        self.timeouts = timeouts
        self.pool = pool
    }

    /// The state of an origin: the same for every spelling of it.
    func state(for endpoint: UpstreamConfig.Endpoint) -> UpstreamState {
        origins.withLock { origins in
            origins.uses &+= 1
            if let known = origins.states[endpoint.url] {
                origins.states[endpoint.url] = (known.state, origins.uses)
                return known.state
            }
            if origins.states.count >= Self.limit, let oldest = origins.states.min(by: { $0.value.use < $1.value.use })
            {
                origins.states[oldest.key] = nil
            }
            // No name of a configuration has a scheme like this.
            var config = UpstreamConfig(
                name: "client:\(endpoint.url)", location: Location(file: "", line: 0, column: 0))
            config.endpoints = [endpoint]
            config.host = .endpoint
            config.timeouts = timeouts.upstream
            config.pool = pool
            let state = UpstreamState.make(config: config, previous: nil)
            origins.states[endpoint.url] = (state, origins.uses)
            return state
        }
    }
}
