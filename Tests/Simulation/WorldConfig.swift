import Config
import Containers
import Net

/// The configuration of one seed.
enum WorldConfig {
    static let place = Location(file: "simulation", line: 1, column: 1)

    static func draw(seed: UInt64) throws -> GatewayConfig {
        var random = RandomSource(seed: seed ^ 0xC0F1_60AD)
        var config = GatewayConfig()
        config.accessLog = nil
        var listener = ListenerConfig(location: place)
        listener.bind = [.address(Simulation.listenerAddress)]
        listener.timeouts.head = .seconds(4)
        listener.timeouts.bodyIdle = .seconds(4)
        listener.timeouts.writeIdle = .seconds(4)
        listener.timeouts.keepAlive = .seconds(20)
        var proxied = listener
        proxied.name = "proxied"
        proxied.proxyProtocol = [CIDRBlock(address: .v4(0x0B00_0000), prefix: 8)]
        config.listeners = [listener, proxied]
        for index in config.listeners.indices {
            config.listeners[index].protocols = [.http1, .http2Cleartext]
            config.listeners[index].http2.streams = [2, 5, 128][Int(seed / 2 % 3)]
        }
        config.listeners.append(try secured(config.listeners[0], seed: seed))
        var upstream = UpstreamConfig(name: "origin", location: place)
        upstream.endpoints = Simulation.origins.prefix(1 + random.below(3)).map { endpoint($0) }
        if random.below(3) == 0 { upstream.endpoints[0] = named }
        upstream.balance = balance(&random)
        upstream.timeouts.connect = .seconds(1)
        upstream.timeouts.response = .seconds(3)
        upstream.timeouts.bodyIdle = .seconds(3)
        // Waiting for one of few connections must not be a failure in a world without faults.
        upstream.timeouts.queue = .seconds(100)
        upstream.pool.maxConnections = [1, 2, 5, 100][random.below(4)]
        upstream.pool.idleTimeout = .milliseconds([20, 300, 15_000, 40_000][random.below(4)])
        if speaksHTTP2(seed) { upstream.protocolVersion = .http2Cleartext }
        try secure(&upstream, seed: seed)
        var auth = UpstreamConfig(name: "auth", location: place)
        auth.endpoints = [endpoint(Simulation.authService)]
        auth.timeouts.connect = .seconds(1)
        auth.timeouts.response = .seconds(3)
        auth.pool.maxConnections = 20 + random.below(80)
        auth.pool.idleTimeout = upstream.pool.idleTimeout
        config.upstreams = [upstream, auth]
        config.middleware = middleware(limit: drawLimit(&random))
        config.routes = [
            route("all", nil, []), route("authorised", "a", ["auth"]), route("decided", "m", ["decide"]),
            route("limited", "l", ["asks", "limit", "passed"]), tunnelRoute(&random),
        ]
        return config
    }

    /// Whether the world begins with origins that are spoken to in HTTP/2.
    private static func speaksHTTP2(_ seed: UInt64) -> Bool {
        var random = RandomSource(seed: seed ^ 0x0002_0002)
        return random.below(2) == 0
    }

    private static func tunnelRoute(_ random: inout RandomSource) -> RouteConfig {
        var route = route("tunnels", "w", [])
        route.webSocket.idleTimeout = .seconds(6)
        route.webSocket.maxMessage = TunnelPlan.messageLimit
        if random.below(2) == 0 { route.webSocket.pingInterval = .seconds(2) }
        return route
    }

    private static func route(_ name: String, _ letter: String?, _ middleware: [String]) -> RouteConfig {
        let first = letter.map { [RouteConfig.PathSegment.literal($0)] } ?? []
        let path = RouteConfig.Path(
            segments: first + [.tail(nil)], hasTrailingSlash: false, source: letter.map { "/\($0)/*" } ?? "/*")
        var route = RouteConfig(name: name, path: path, action: .upstream("origin"), location: place)
        route.middleware = middleware
        return route
    }

    private static func drawLimit(_ random: inout RandomSource) -> RateLimitConfig {
        var limit = RateLimitConfig()
        limit.count = 1 + random.below(5)
        limit.period = .milliseconds([100, 1_000, 5_000][random.below(3)])
        limit.burst = 1 + random.below(5)
        limit.key = [.header("x-group")]
        return limit
    }

    private static func middleware(limit: RateLimitConfig) -> [NamedMiddleware] {
        var auth = ForwardAuthConfig(upstream: "auth")
        auth.path = "/check"
        auth.timeout = .seconds(5)
        auth.requestHeaders = ["x-nonce"]
        auth.copyHeaders = ["X-User"]
        let interval =
            limit.period.components.seconds * 1_000_000_000 + limit.period.components.attoseconds / 1_000_000_000
        let each = interval / Int64(limit.count)
        let kinds: [(String, MiddlewareConfig)] = [
            ("auth", .forwardAuth(auth)), ("decide", .custom(kind: "decide", settings: [:])),
            (
                "asks",
                .custom(kind: "asks", settings: ["interval": "\(each)", "tolerance": "\(each * Int64(limit.burst))"])
            ),
            ("limit", .rateLimit(limit)), ("passed", .custom(kind: "passed", settings: [:])),
        ]
        return kinds.map { NamedMiddleware(name: $0.0, kind: $0.1, location: place) }
    }

    /// The pool of calls to an origin outside of the configuration.
    static func callOrigin(seed: UInt64) -> UpstreamConfig {
        var upstream = UpstreamConfig(name: "client:origin", location: place)
        upstream.endpoints = [endpoint(Simulation.callOrigin)]
        upstream.host = .endpoint
        upstream.timeouts.connect = .seconds(1)
        upstream.timeouts.response = .seconds(3)
        upstream.timeouts.bodyIdle = .seconds(3)
        upstream.timeouts.queue = .seconds(100)
        upstream.pool.maxConnections = 3
        if seed % 3 == 0 { upstream.protocolVersion = .http2Cleartext }
        upstream.pool.idleTimeout = .seconds(5)
        return upstream
    }

    /// An endpoint whose addresses are found later, and change.
    private static let named = UpstreamConfig.Endpoint(
        url: "http://\(Simulation.originName):9000", target: .name(Simulation.originName, port: 9_000),
        authority: "origin.test")

    static func balance(_ random: inout RandomSource) -> UpstreamConfig.Balance {
        [.roundRobin, .leastRequests, .powerOfTwo, .random, .hash([.clientIP])][random.below(5)]
    }

    static func endpoint(_ address: SocketAddress) -> UpstreamConfig.Endpoint {
        let target: UpstreamConfig.Endpoint.Target
        if case .unix(let path) = address { target = .unix(path: path) } else { target = .address(address) }
        return UpstreamConfig.Endpoint(url: "http://\(address)", target: target, authority: "origin.test")
    }

    /// Another configuration of the same shape; what a seed's world allows stays the same.
    static func change(_ old: GatewayConfig, _ random: inout RandomSource) -> GatewayConfig {
        var config = old
        config.upstreams[0].timeouts.response = .milliseconds(2_500 + random.below(1_000))
        switch random.below(7) {
        case 0, 1:
            let count = 1 + random.below(Simulation.origins.count)
            config.upstreams[0].endpoints = Simulation.origins.prefix(count).map { endpoint($0) }
            secureAgain(&config.upstreams[0], &random)
        case 2: config.upstreams[0].balance = balance(&random)
        case 3: config.upstreams[0].pool.maxConnections = [1, 2, 5, 100][random.below(4)]
        case 4: config.middleware = middleware(limit: drawLimit(&random))
        case 5:
            config.upstreams[0].protocolVersion = [.http1, .http2Cleartext][random.below(2)]
            fitProtocol(&config.upstreams[0], &random)
        default: break
        }
        return config
    }
}
