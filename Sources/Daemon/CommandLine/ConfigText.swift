import Config
import Net

/// Parts of a configuration in a few words, as `routes` and `explain` print them.
enum ConfigText {
    static func place(_ location: Location) -> String { "\(location.file):\(location.line)" }

    static func hosts(_ route: RouteConfig) -> String {
        route.hosts.isEmpty ? "any" : route.hosts.map(host).joined(separator: ",")
    }

    private static func host(_ pattern: RouteConfig.HostPattern) -> String {
        switch pattern {
        case .exact(let name): name
        case .wildcard(let rest): "*.\(rest)"
        }
    }

    static func methods(_ route: RouteConfig) -> String {
        route.methods.isEmpty ? "any" : route.methods.joined(separator: ",")
    }

    /// What else must hold, and on which listeners; empty when nothing.
    static func conditions(_ route: RouteConfig) -> String {
        var parts = route.headers.map { "header \($0.name) \(condition($0.condition))" }
        parts += route.query.map { "query \($0.name) \(condition($0.condition))" }
        if !route.listeners.isEmpty { parts.append("listener \(route.listeners.joined(separator: ","))") }
        if route.priority != 0 { parts.append("priority \(route.priority)") }
        return parts.joined(separator: "; ")
    }

    private static func condition(_ condition: RouteConfig.Condition) -> String {
        switch condition {
        case .equals(let value): "= \(value)"
        case .present(true): "present"
        case .present(false): "absent"
        case .regex(let pattern): "~ \(pattern.source)"
        }
    }

    static func action(_ action: RouteConfig.Action) -> String {
        switch action {
        case .upstream(let name): "upstream \(name)"
        case .redirect(let target, let status): "redirect \(status) to \(target.source)"
        case .respond(let response): "respond \(response.status)"
        }
    }

    static func rewrite(_ rewrite: RouteConfig.Rewrite) -> String {
        switch rewrite {
        case .path(let template): "path becomes \(template.source)"
        case .stripPrefix(let prefix): "prefix \(prefix) is removed"
        case .addPrefix(let prefix): "prefix \(prefix) is put in front"
        }
    }

    static func kind(_ middleware: MiddlewareConfig) -> String {
        switch middleware {
        case .headers: "headers"
        case .basicAuth: "basic_auth"
        case .apiKey: "api_key"
        case .rateLimit: "rate_limit"
        case .ipFilter: "ip_filter"
        case .bodyLimit: "body_limit"
        case .requestID: "request_id"
        case .cors: "cors"
        case .hsts: "hsts"
        case .forwardAuth: "forward_auth"
        case .custom(let kind, _): kind
        }
    }

    static func balance(_ balance: UpstreamConfig.Balance) -> String {
        switch balance {
        case .roundRobin: "round_robin"
        case .leastRequests: "least_requests"
        case .powerOfTwo: "power_of_two"
        case .random: "random"
        case .hash: "hash"
        }
    }

    static func endpoint(_ endpoint: UpstreamConfig.Endpoint) -> String {
        var text = endpoint.url
        if endpoint.weight != 1 { text += " weight \(endpoint.weight)" }
        if endpoint.isBackup { text += " backup" }
        return text
    }

    /// Every route of a configuration, in the file's order: the order has no meaning.
    static func routes(_ config: GatewayConfig) -> String {
        var table = TextTable(["ROUTE", "METHODS", "HOST", "PATH", "ACTION", "MIDDLEWARE", "CONDITIONS", "WHERE"])
        for route in config.routes {
            table.add([
                route.name, methods(route), hosts(route), route.path.source, action(route.action),
                route.middleware.isEmpty ? "-" : route.middleware.joined(separator: ","),
                conditions(route).isEmpty ? "-" : conditions(route), place(route.location),
            ])
        }
        return table.text
    }
}
