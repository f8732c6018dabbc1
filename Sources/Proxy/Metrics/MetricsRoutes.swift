import Config
import Middleware
import Routing
import TLS

/// The routes of the metrics listener: what `routes` says does not reach it, and these reach no other listener.
enum MetricsRoutes {
    static func configs(at location: Location) -> [RouteConfig] {
        MetricsMiddleware.Page.allCases.map { page in
            let path = RouteConfig.Path(
                segments: [.literal(page.rawValue)], hasTrailingSlash: false, source: "/\(page.rawValue)")
            // The middleware answers before this action is looked at.
            var route = RouteConfig(
                name: "\(ListenerConfig.metricsName)/\(page.rawValue)", path: path, action: .respond(.init()),
                location: location)
            route.methods = ["GET", "HEAD"]
            route.accessLog = .off
            return route
        }
    }

    static func states(_ configs: [RouteConfig], desk: MetricsDesk, certificates: [CertificateFact]) -> [RouteState] {
        zip(configs, MetricsMiddleware.Page.allCases).map { config, page in
            let middleware = MetricsMiddleware(page: page, desk: desk, certificates: certificates)
            return RouteState(
                config, action: .respond(.init(), headers: []), chain: MiddlewareChain(of: middleware), upstream: nil,
                logLane: -1)
        }
    }

    /// Of all listeners.
    static func certificates(_ config: GatewayConfig) -> [CertificateFact] {
        config.listeners.flatMap { listener in
            (listener.tls?.certificates ?? []).map {
                CertificateFact(listener: listener.name, file: $0.file, notAfter: $0.chain.notAfter)
            }
        }
    }
}
