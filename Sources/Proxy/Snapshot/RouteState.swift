import Containers
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

    enum Rewrite: Sendable {
        case path(CompiledTemplate)
        case stripPrefix([UInt8])
        case addPrefix([UInt8])
    }

    let name: [UInt8]
    let chain: MiddlewareChain
    let action: Action
    let rewrite: Rewrite?
    let parameterNames: [[UInt8]]
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
    /// Number of the access log lane, -1: not logged.
    let logLane: Int

    init(
        _ config: RouteConfig, action: Action, chain: MiddlewareChain, upstream: UpstreamConfig?, logLane: Int
    ) {
        name = Array(config.name.utf8)
        self.chain = chain
        self.action = action
        rewrite = config.rewrite.map { rewrite in
            switch rewrite {
            case .path(let template): .path(CompiledTemplate(template, for: .target))
            case .stripPrefix(let prefix): .stripPrefix(Array(prefix.utf8))
            case .addPrefix(let prefix): .addPrefix(Array(prefix.utf8))
            }
        }
        parameterNames = config.path.segments.compactMap { segment in
            switch segment {
            case .literal, .tail(nil): nil
            case .parameter(let name), .constrained(let name, _), .tail(.some(let name)): Array(name.utf8)
            }
        }
        trailers = config.trailers.map { Array($0.utf8) }
        self.logLane = logLane
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
