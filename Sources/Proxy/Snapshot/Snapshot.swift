package import Config
import Middleware
import Net
import Routing
import TLS
package import Upstream

/// The compiled configuration that a request runs under: immutable, shared by all workers.
package final class Snapshot: Sendable {
    /// Counts publications, from 1.
    package let generation: Int
    package let config: GatewayConfig
    /// By number; nil: not in this configuration.
    private let listeners: [ListenerState?]
    /// By number of the listener.
    let routers: [Router?]
    let routes: [RouteState]
    package let upstreams: [UpstreamState]
    let middleware: MiddlewareInstances
    /// Access log of requests that no route saw; -1: none.
    let logLane: Int
    /// Keys of the sessions that clients have with listeners, looked after by the first worker; nil: no listener ever had TLS.
    let tickets: TLSTicketKeys?
    /// Whether any exchange is logged.
    let isLogged: Bool
    /// What no client may say itself.
    let identityFields: IdentityFields
    private let trusted: [CIDRBlock]
    /// Whether the word of whoever reaches a Unix socket is taken.
    let trustsUnixPeers: Bool

    init(
        generation: Int, config: GatewayConfig, listeners: [ListenerState?], routers: [Router?], routes: [RouteState],
        upstreams: [UpstreamState], middleware: MiddlewareInstances, logLane: Int, tickets: TLSTicketKeys?
    ) {
        self.generation = generation
        self.config = config
        self.listeners = listeners
        self.routers = routers
        self.routes = routes
        self.upstreams = upstreams
        self.middleware = middleware
        self.logLane = logLane
        self.tickets = tickets
        isLogged = logLane >= 0 || routes.contains { $0.logLane >= 0 }
        identityFields = IdentityFields(config.middleware)
        trusted = config.trustedProxies.compactMap { peer in
            if case .block(let block) = peer { block } else { nil }
        }
        trustsUnixPeers = config.trustedProxies.contains(.unix)
    }

    func listener(numbered number: Int) -> ListenerState? {
        number < listeners.count ? listeners[number] : nil
    }

    /// Whether the peer's word on where a request comes from is taken.
    func isTrusted(_ address: IPAddress) -> Bool {
        for block in trusted where block.contains(address) { return true }
        return false
    }
}
