package import Net

/// What one configuration says, with every default filled in: the file's shape, typed.
///
/// Names are resolved only as far as the file goes (a route's upstream is a name of `upstreams`); compiling it to
/// what a request runs under is the proxy's job.
package struct GatewayConfig: Sendable, Equatable {
    package enum WorkerCount: Sendable, Equatable {
        case auto
        case count(Int)
    }

    package enum TrustedPeer: Sendable, Equatable {
        case block(CIDRBlock)
        /// Whoever reaches a Unix socket of ours.
        case unix
    }

    package var workers = WorkerCount.auto
    /// Peers whose X-Forwarded-* and X-Request-Id we believe.
    package var trustedProxies: [TrustedPeer] = []
    package var drainTimeout: Duration = .seconds(30)
    package var drainDelay: Duration = .zero
    package var upgradeDrainTimeout: Duration = .seconds(12 * 3600)
    /// After this time without a turn a worker hangs; nil: nobody looks.
    package var hangTimeout: Duration? = .seconds(5)
    /// How often files with certificates are looked at; nil: never.
    package var watchCertificates: Duration? = .seconds(5)
    package var limits = GatewayLimits()
    package var log = LogConfig()
    package var accessLog: AccessLogConfig? = AccessLogConfig()
    package var listeners: [ListenerConfig] = []
    /// Where metrics are read; nil: nowhere.
    package var metrics: ListenerConfig?
    /// Where the admin API is; nil: nowhere.
    package var admin: ListenerConfig?
    /// In the file's order; inline upstreams of routes are here too, under their URL.
    package var upstreams: [UpstreamConfig] = []
    /// Named middleware and the inline ones of routes (with a made-up unique name), in order of appearance.
    package var middleware: [NamedMiddleware] = []
    /// Flattened: groups are resolved into their members, defaults are applied.
    package var routes: [RouteConfig] = []

    package init() {}

    /// Everything that is listened on, for metrics and administration too.
    package var allListeners: [ListenerConfig] { listeners + [metrics, admin].compactMap { $0 } }
}

/// What all listeners and workers may use together.
package struct GatewayLimits: Sendable, Equatable {
    /// Client connections open at once; nil: from the limit of open files.
    package var connections: Int?
    /// Bytes in buffers; nil: from the memory that the process may use.
    package var memory: Int?
    package init() {}
}

/// Where something stands in the configuration, for messages and `explain`.
package struct Location: Sendable, Equatable, Hashable {
    package var file: String
    /// From 1.
    package var line: Int
    /// From 1.
    package var column: Int

    package init(file: String, line: Int, column: Int) {
        self.file = file
        self.line = line
        self.column = column
    }
}

package struct LogConfig: Sendable, Equatable {
    package enum Level: String, Sendable, CaseIterable { case debug, info, warning, error }
    package enum Format: String, Sendable, CaseIterable { case text, json }
    package var level = Level.info
    package var format = Format.text
    package var output = LogOutput.stderr
    package init() {}
}

package enum LogOutput: Sendable, Equatable, Hashable {
    case stdout, stderr, journald
    case file(String)
}

package struct AccessLogConfig: Sendable, Equatable {
    package enum Format: Sendable, Equatable {
        case json, common, combined
        /// aiohttp's directives, already checked: %a %t %P %r %s %b %T %Tf %D %{Name}i %{Name}o %%.
        case pattern(String)
    }
    package var format = Format.json
    package var output = LogOutput.stdout
    package init() {}
}
