import Config
import Containers
import Net
import Synchronization
import Upstream

/// What the admin API says of one configuration.
struct AdminAnswers: Sendable {
    let routes: String
    let certificates: [CertificateFact]
    private let states: [UpstreamState]

    init(config: GatewayConfig, upstreams: [UpstreamState]) {
        routes = Self.routes(config.routes)
        certificates = MetricsRoutes.certificates(config)
        states = upstreams
    }

    private static func routes(_ routes: [RouteConfig]) -> String {
        var json = JSONWriter(isIndented: true)
        json.object { json in
            json.key("routes")
            json.array { json in
                for route in routes { write(route, to: &json) }
            }
        }
        return json.text + "\n"
    }

    private static func write(_ route: RouteConfig, to json: inout JSONWriter) {
        json.object { json in
            json.member("name", route.name)
            json.member("listeners", route.listeners)
            json.member("hosts", route.hosts.map(host))
            json.member("path", route.path.source)
            json.member("methods", route.methods)
            json.member("middleware", route.middleware)
            switch route.action {
            case .upstream(let name):
                json.member("action", "upstream")
                json.member("upstream", name)
            case .redirect: json.member("action", "redirect")
            case .respond: json.member("action", "respond")
            }
            json.member("file", route.location.file)
            json.member("line", Int64(route.location.line))
        }
    }

    private static func host(_ pattern: RouteConfig.HostPattern) -> String {
        switch pattern {
        case .exact(let name): name
        case .wildcard(let rest): "*.\(rest)"
        }
    }

    func upstreams(now: Instant) -> String {
        var json = JSONWriter(isIndented: true)
        json.object { json in
            json.key("upstreams")
            json.array { json in
                for state in states { Self.write(state, now: now, to: &json) }
            }
        }
        return json.text + "\n"
    }

    private static func write(_ state: UpstreamState, now: Instant, to json: inout JSONWriter) {
        let gauges = state.gauges
        json.object { json in
            json.member("name", state.name)
            json.member("requests", Int64(gauges.requests))
            json.member("pending", Int64(gauges.pending))
            json.member("retries", Int64(gauges.retries))
            json.member("connections", Int64(gauges.connections))
            json.member("max_connections", Int64(state.config.pool.maxConnections))
            json.key("endpoints")
            json.array { json in
                for (endpoint, config) in zip(state.endpoints, state.config.endpoints) {
                    write(endpoint, config, to: &json)
                }
            }
        }
    }

    private static func write(
        _ endpoint: EndpointState, _ config: UpstreamConfig.Endpoint, to json: inout JSONWriter
    ) {
        json.object { json in
            json.member("url", config.url)
            json.member("weight", Int64(config.weight))
            json.key("backup")
            json.raw(config.isBackup ? "true" : "false")
            json.member("state", !endpoint.isResolved ? "unresolved" : endpoint.isSetAside ? "set_aside" : "usable")
            json.member("requests", Int64(endpoint.inFlight.load(ordering: .relaxed)))
            json.member("connections", Int64(endpoint.connections.load(ordering: .relaxed)))
            json.member("addresses", endpoint.currentAddresses().addresses.map { "\($0)" })
        }
    }
}
