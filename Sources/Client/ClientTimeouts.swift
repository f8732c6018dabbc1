import Config
import Proxy

/// How long each phase of a request may take. Each has an error of its own (`ClientError`).
public struct ClientTimeouts: Sendable, Equatable {
    /// Waiting for a connection when as many as may be are open.
    public var queue: Duration
    /// Until a new connection stands.
    public var connect: Duration
    /// From the last byte of the request to the head of the answer.
    public var response: Duration
    /// Between two reads of the answer's body, while it is being read; also for a peer that does not take the request.
    public var bodyIdle: Duration
    /// From handing the request over to the last byte of the answer; nil: no limit.
    public var total: Duration?

    /// The gateway's own defaults for upstreams.
    public init() {
        let defaults = UpstreamConfig.Timeouts()
        queue = defaults.queue
        connect = defaults.connect
        response = defaults.response
        bodyIdle = defaults.bodyIdle
        total = defaults.total
    }

    /// The defaults, with a limit for the whole.
    public init(total: Duration) {
        self.init()
        self.total = total
    }

    var upstream: UpstreamConfig.Timeouts {
        var timeouts = UpstreamConfig.Timeouts()
        timeouts.queue = queue
        timeouts.connect = connect
        timeouts.response = response
        timeouts.bodyIdle = bodyIdle
        timeouts.total = total
        return timeouts
    }
}
