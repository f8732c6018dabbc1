import Config
import Middleware
import Routing
import Upstream

/// The routes of the admin listener: what `routes` says does not reach it, and these reach no other listener.
enum AdminRoutes {
    static func configs(at location: Location) -> [RouteConfig] {
        AdminMiddleware.Page.allCases.map { page in
            let path = RouteConfig.Path(
                segments: page.segments.map { .literal($0) }, hasTrailingSlash: false,
                source: "/" + page.segments.joined(separator: "/"))
            // The middleware answers before this action is looked at.
            var route = RouteConfig(
                name: "\(ListenerConfig.adminName)/\(page.rawValue)", path: path, action: .respond(.init()),
                location: location)
            route.methods = page.methods
            route.accessLog = .off
            return route
        }
    }

    static func states(
        _ configs: [RouteConfig], of config: GatewayConfig, upstreams: [UpstreamState], desk: MetricsDesk
    ) -> [RouteState] {
        let answers = AdminAnswers(config: config, upstreams: upstreams)
        return zip(configs, AdminMiddleware.Page.allCases).map { route, page in
            RouteState(
                route, action: .respond(.init(), headers: []),
                chain: MiddlewareChain(of: AdminMiddleware(page: page, desk: desk, answers: answers)), upstream: nil,
                logLane: -1)
        }
    }
}
