package import Middleware
package import Telemetry
package import Config
import Routing
package import TLS
import Upstream

/// Compiles a configuration to a snapshot. What keeps its name keeps its state: upstreams' endpoints and permits, middleware's
/// tables, listeners' counts.
package struct SnapshotBuilder: Sendable {
    private let kinds: MiddlewareKinds
    private let subrequests: any SubrequestSender
    /// Connections of a listener that names no limit.
    private let connectionsLimit: Int
    private let metrics: MetricsDesk

    package init(
        kinds: MiddlewareKinds, subrequests: any SubrequestSender, connectionsLimit: Int,
        metrics: MetricsDesk = MetricsDesk()
    ) {
        self.metrics = metrics
        self.kinds = kinds
        self.subrequests = subrequests
        self.connectionsLimit = connectionsLimit
    }

    /// - Parameters:
    ///   - numbers: a stable number for every listener's name.
    ///   - tickets: keys of the sessions that clients have with listeners.
    package func build(
        _ config: GatewayConfig, previous: Snapshot?, numbers: [String: Int], lanes: LogLaneNumbers,
        tickets: TLSTicketKeys? = nil
    ) throws -> Snapshot {
        let upstreams = try config.upstreams.map { upstream in
            let old = previous?.upstreams.first { $0.name == upstream.name }
            if let old, Self.isSame(old.config, upstream) { return old }
            return UpstreamState.make(config: upstream, previous: old, tls: try UpstreamSecurity.make(upstream))
        }
        let middleware = try MiddlewareInstances(
            config.middleware, previous: previous?.middleware, custom: kinds, subrequests: subrequests)
        var listeners = [ListenerState?](repeating: nil, count: numbers.count)
        var routers = [Router?](repeating: nil, count: numbers.count)
        // Connections of a listener that is gone live until they end, under the routes that name no listener.
        for (name, number) in numbers { routers[number] = Router(config.routes, listener: name) }
        let metricsRoutes = config.metrics.map { MetricsRoutes.configs(at: $0.location) } ?? []
        if let metrics = config.metrics, let number = numbers[metrics.name] {
            routers[number] = Router(config.routes + metricsRoutes, listener: metrics.name, from: config.routes.count)
        }
        let adminRoutes = config.admin.map { AdminRoutes.configs(at: $0.location) } ?? []
        if let admin = config.admin, let number = numbers[admin.name] {
            let others = config.routes + metricsRoutes
            routers[number] = Router(others + adminRoutes, listener: admin.name, from: others.count)
        }
        for listener in config.allListeners {
            guard let number = numbers[listener.name] else { continue }
            let tls = try listener.tls.map {
                try ListenerSecurity.make($0, protocols: Self.protocols(of: listener), tickets: tickets)
            }
            listeners[number] = ListenerState(
                listener, number: number, connectionsLimit: connectionsLimit, tls: tls,
                previous: previous?.listener(numbered: number))
        }
        var routes: [RouteState] = []
        for route in config.routes {
            routes.append(try compile(route, config: config, middleware: middleware, lanes: lanes))
        }
        routes += MetricsRoutes.states(metricsRoutes, desk: metrics, certificates: MetricsRoutes.certificates(config))
        routes += AdminRoutes.states(adminRoutes, of: config, upstreams: upstreams, desk: metrics)
        return Snapshot(
            generation: (previous?.generation ?? 0) + 1, config: config, listeners: listeners, routers: routers,
            routes: routes, upstreams: upstreams, middleware: middleware, logLane: lanes.number(of: .inherit),
            tickets: tickets)
    }

    /// For ALPN, the one that we like best first.
    private static func protocols(of listener: ListenerConfig) -> [TLSApplicationProtocol] {
        listener.protocols.compactMap { offered in
            switch offered {
            case .http1: .http1
            case .http2: .http2
            case .http2Cleartext: nil
            }
        }
    }

    /// What only compiling shows: middleware that cannot be made, chains that are too long, redirects that would send clients
    /// wherever they say.
    package static func problems(in config: GatewayConfig, kinds: MiddlewareKinds) -> [Problem] {
        var problems: [Problem] = []
        do throws(MiddlewareProblems) {
            let middleware = try MiddlewareInstances(
                config.middleware, previous: nil, custom: kinds, subrequests: NoSubrequests())
            for route in config.routes {
                do throws(MiddlewareProblems) {
                    _ = try middleware.chain(for: route)
                } catch {
                    problems += error.problems
                }
            }
        } catch {
            problems += error.problems
        }
        for route in config.routes {
            guard case .redirect(let to, _) = route.action,
                let problem = CompiledTemplate(to, for: .target).redirectProblem
            else { continue }
            problems.append(Problem(at: route.location, "route `\(route.name)`: \(problem)"))
        }
        return problems
    }

    private func compile(
        _ route: RouteConfig, config: GatewayConfig, middleware: MiddlewareInstances, lanes: LogLaneNumbers
    ) throws -> RouteState {
        var upstream: UpstreamConfig?
        let action: RouteState.Action
        switch route.action {
        case .upstream(let name):
            guard let number = config.upstreams.firstIndex(where: { $0.name == name }) else {
                throw SnapshotError.unknownUpstream(name, route: route.name)
            }
            upstream = config.upstreams[number]
            action = .upstream(number)
        case .redirect(let to, let status):
            action = .redirect(to: CompiledTemplate(to, for: .target), status: status)
        case .respond(let response):
            let headers = response.headers.map { (name: $0.name, value: CompiledTemplate($0.value, for: .field)) }
            action = .respond(response, headers: headers)
        }
        return RouteState(
            route, action: action, chain: try middleware.chain(for: route), upstream: upstream,
            logLane: lanes.number(of: route.accessLog))
    }

    /// Whether nothing but the place in the file changed.
    private static func isSame(_ old: UpstreamConfig, _ new: UpstreamConfig) -> Bool {
        var moved = old
        moved.location = new.location
        return moved == new
    }
}

package enum SnapshotError: Error, Equatable {
    case unknownUpstream(String, route: String)
}
