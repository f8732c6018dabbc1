import Containers
import Config

/// Placeholder.
package struct LogLaneNumbers: Sendable {
    func number(of policy: RouteConfig.AccessLogPolicy) -> Int { -1 }
}
package final class AccessLogs {
    package init() {}
    func lanes(for config: GatewayConfig) -> LogLaneNumbers { LogLaneNumbers() }
    func stop() {}
    func reopen() {}
}
struct LogLanes: ~Copyable {
    mutating func endTurn(now: Instant) {}
}
package struct WorkerCounters: Sendable {
    package var accepted = 0, refused = 0, requests = 0, unexpectedUpstreamBytes = 0, invalidProxyHeaders = 0
    package init() {}
}
