import Config
import Containers
import Net

/// The configuration of one seed.
enum WorldConfig {
    static let place = Location(file: "simulation", line: 1, column: 1)

    static func draw(seed: UInt64) -> GatewayConfig {
        var random = RandomSource(seed: seed ^ 0xC0F1_60AD)
        var config = GatewayConfig()
        config.accessLog = nil
        var listener = ListenerConfig(location: place)
        listener.bind = [.address(Simulation.listenerAddress)]
        listener.timeouts.head = .seconds(4)
        listener.timeouts.bodyIdle = .seconds(4)
        listener.timeouts.writeIdle = .seconds(4)
        listener.timeouts.keepAlive = .seconds(20)
        config.listeners = [listener]
        var upstream = UpstreamConfig(name: "origin", location: place)
        upstream.endpoints = Simulation.origins.prefix(1 + random.below(3)).map { endpoint($0) }
        upstream.balance = balance(&random)
        upstream.timeouts.connect = .seconds(1)
        upstream.timeouts.response = .seconds(3)
        upstream.timeouts.bodyIdle = .seconds(3)
        // Waiting for one of few connections must not be a failure in a world without faults.
        upstream.timeouts.queue = .seconds(100)
        upstream.pool.maxConnections = [1, 2, 5, 100][random.below(4)]
        upstream.pool.idleTimeout = .milliseconds([20, 300, 15_000, 40_000][random.below(4)])
        config.upstreams = [upstream]
        let path = RouteConfig.Path(segments: [.tail(nil)], hasTrailingSlash: false, source: "/*")
        config.routes = [RouteConfig(name: "all", path: path, action: .upstream("origin"), location: place)]
        return config
    }

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
        switch random.below(6) {
        case 0, 1:
            let count = 1 + random.below(Simulation.origins.count)
            config.upstreams[0].endpoints = Simulation.origins.prefix(count).map { endpoint($0) }
        case 2: config.upstreams[0].balance = balance(&random)
        case 3: config.upstreams[0].pool.maxConnections = [1, 2, 5, 100][random.below(4)]
        default: break
        }
        return config
    }
}
