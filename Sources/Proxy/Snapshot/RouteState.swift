import Containers
import HTTP1
import Config
import Middleware
import Telemetry

/// A route under one configuration, compiled to what the path of a request needs.
package final class RouteState: Sendable {
    enum Action: Sendable {
        /// Position in the snapshot's upstreams.
        case upstream(Int)
        case redirect(to: CompiledTemplate, status: Int)
        case respond(RouteConfig.Response, headers: [(name: String, value: CompiledTemplate)])
    }

    /// The Host field that the upstream gets.
    enum Host: Sendable {
        /// The client's.
        case pass
        case name([UInt8])
        /// The endpoint's own, which is known when the connection is.
        case endpoint
    }

    enum Rewrite: Sendable {
        case path(CompiledTemplate)
        case stripPrefix([UInt8])
        case addPrefix([UInt8])
    }

    let names: RouteNames
    /// Whether OPTIONS is one of the route's methods; if not, only preflights come here, to be answered by its chain.
    let servesOptions: Bool
    let chain: MiddlewareChain
    let action: Action
    let rewrite: Rewrite?
    let webSocketIdleTimeout: Int64
    let webSocketMessageLimit: Int
    let webSocketPingInterval: Int64
    let trailers: [[UInt8]]
    let connectTimeout: Int64
    let responseTimeout: Int64
    let bodyIdleTimeout: Int64
    let streamIdleTimeout: Int64
    let queueTimeout: Int64
    let totalTimeout: Int64
    let responseParser: ResponseParser
    let chunkLimits: ChunkLimits
    /// Interim responses that an exchange relays.
    let interimLimit: Int
    /// Key of `hash` balancing; nil: the upstream balances otherwise.
    let balanceKey: CompiledKey?
    let host: Host
    /// Number of the access log lane, -1: not logged.
    let logLane: Int

    init(
        _ config: RouteConfig, action: Action, chain: MiddlewareChain, upstream: UpstreamConfig?, logLane: Int
    ) {
        self.chain = chain
        servesOptions = config.methods.isEmpty || config.methods.contains("OPTIONS")
        self.action = action
        rewrite = config.rewrite.map { rewrite in
            switch rewrite {
            case .path(let template): .path(CompiledTemplate(template, for: .target))
            case .stripPrefix(let prefix): .stripPrefix(Array(prefix.utf8))
            case .addPrefix(let prefix): .addPrefix(Array(prefix.utf8))
            }
        }
        let parameters = config.path.segments.compactMap { segment -> [UInt8]? in
            switch segment {
            case .literal, .tail(nil): nil
            case .parameter(let name), .constrained(let name, _), .tail(.some(let name)): Array(name.utf8)
            }
        }
        names = RouteNames(route: Array(config.name.utf8), parameters: parameters)
        host =
            switch upstream?.host ?? .pass {
            case .pass: .pass
            case .name(let name): .name(Array(name.utf8))
            case .endpoint: .endpoint
            }
        if case .hash(let variables) = upstream?.balance {
            balanceKey = CompiledKey(variables)
        } else {
            balanceKey = nil
        }
        trailers = config.trailers.map { Array($0.utf8) }
        self.logLane = logLane
        let limits = upstream?.limits ?? UpstreamConfig.Limits()
        responseParser = ResponseParser(limits: ResponseLimits(headBytes: limits.head, fields: limits.fields))
        chunkLimits = ChunkLimits(
            lineBytes: limits.chunkLine, extensionBytes: limits.chunkExtensions, trailerBytes: limits.trailers,
            trailerFields: limits.trailerFields)
        interimLimit = limits.interim
        let timeouts = upstream?.timeouts ?? UpstreamConfig.Timeouts()
        let own = config.timeouts
        connectTimeout = (own.connect ?? timeouts.connect).wholeNanoseconds
        responseTimeout = (own.response ?? timeouts.response).wholeNanoseconds
        bodyIdleTimeout = (own.bodyIdle ?? timeouts.bodyIdle).wholeNanoseconds
        streamIdleTimeout = (own.streamIdle ?? timeouts.streamIdle).wholeNanoseconds
        queueTimeout = (own.queue ?? timeouts.queue).wholeNanoseconds
        totalTimeout = (own.total ?? timeouts.total)?.wholeNanoseconds ?? .max
        webSocketIdleTimeout = config.webSocket.idleTimeout?.wholeNanoseconds ?? streamIdleTimeout
        webSocketMessageLimit = config.webSocket.maxMessage ?? .max
        webSocketPingInterval = config.webSocket.pingInterval?.wholeNanoseconds ?? .max
    }
}
