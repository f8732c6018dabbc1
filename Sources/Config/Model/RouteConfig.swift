package import RegularExpression

package struct RouteConfig: Sendable, Equatable {
    /// `exact`: lower-case name without port and trailing dot. `wildcard`: what follows the `*.`, one label or more stands before it.
    package enum HostPattern: Sendable, Equatable, Hashable {
        case exact(String)
        case wildcard(String)
    }

    package enum PathSegment: Sendable, Equatable {
        /// Canonical bytes of one segment, without slashes.
        case literal(String)
        /// `{name}`: one segment that is not empty.
        case parameter(String)
        /// `{name:regex}`: one segment that the expression matches in full.
        case constrained(String, Pattern)
        /// `{name...}`, or `*` (name nil): everything behind, also nothing. Only last.
        case tail(String?)
    }

    /// `/` is no segment and hasTrailingSlash; `/a/` is one segment and hasTrailingSlash.
    package struct Path: Sendable, Equatable {
        package var segments: [PathSegment]
        package var hasTrailingSlash: Bool
        /// As written.
        package var source: String
        package init(segments: [PathSegment], hasTrailingSlash: Bool, source: String) {
            self.segments = segments
            self.hasTrailingSlash = hasTrailingSlash
            self.source = source
        }
    }

    /// A regular expression as written and compiled; equal when written equally.
    package struct Pattern: Sendable, Equatable {
        package var source: String
        package var expression: RegularExpression
        package init(source: String, expression: RegularExpression) {
            self.source = source
            self.expression = expression
        }
        package static func == (left: Pattern, right: Pattern) -> Bool { left.source == right.source }
    }

    package enum Condition: Sendable, Equatable {
        case equals(String)
        case present(Bool)
        /// Searched for anywhere in the value.
        case regex(Pattern)
    }

    package struct NamedCondition: Sendable, Equatable {
        /// Lower-case field name, or the query parameter's name.
        package var name: String
        package var condition: Condition
        /// The value or expression as written, with secrets masked; for names and messages.
        package var written: String
        package init(name: String, condition: Condition, written: String = "") {
            self.name = name
            self.condition = condition
            self.written = written
        }
    }

    package enum Rewrite: Sendable, Equatable {
        case path(Template)
        /// Removed from the path's front on a segment border.
        case stripPrefix(String)
        case addPrefix(String)
    }

    package struct WebSocketPolicy: Sendable, Equatable {
        package var idleTimeout: Duration?
        /// Wire bytes of one message; nil: no limit.
        package var maxMessage: Int?
        package var pingInterval: Duration?
        package init() {}
    }

    package enum Action: Sendable, Equatable {
        /// Name of an upstream.
        case upstream(String)
        case redirect(to: Template, status: Int)
        case respond(Response)
    }

    package struct Response: Sendable, Equatable {
        package var status = 200
        package var contentType: String?
        package var body: [UInt8] = []
        package var headers: [(name: String, value: Template)] = []
        package init() {}
        package static func == (left: Response, right: Response) -> Bool {
            left.status == right.status && left.contentType == right.contentType && left.body == right.body
                && left.headers.elementsEqual(right.headers) { $0 == $1 }
        }
    }

    /// Timeouts of the upstream that the route overrides.
    package struct TimeoutOverrides: Sendable, Equatable {
        package var connect: Duration?
        package var response: Duration?
        package var bodyIdle: Duration?
        package var streamIdle: Duration?
        package var queue: Duration?
        package var total: Duration?
        package init() {}
    }

    package enum AccessLogPolicy: Sendable, Equatable {
        /// The gateway's access log.
        case inherit
        case off
        case own(AccessLogConfig)
    }

    /// Identity over reloads and the name in logs; unique.
    package var name: String
    /// Names of listeners; empty: all.
    package var listeners: [String] = []
    /// Empty: any host.
    package var hosts: [HostPattern] = []
    package var path: Path
    /// Upper-case tokens; empty: any method.
    package var methods: [String] = []
    package var headers: [NamedCondition] = []
    package var query: [NamedCondition] = []
    package var priority = 0
    /// Names in `GatewayConfig.middleware`, in the order in which they run.
    package var middleware: [String] = []
    package var rewrite: Rewrite?
    package var timeouts = TimeoutOverrides()
    package var accessLog = AccessLogPolicy.inherit
    package var webSocket = WebSocketPolicy()
    /// Request trailers that are passed on, lower case; empty: none.
    package var trailers: [String] = []
    package var action: Action
    package var location: Location

    package init(name: String, path: Path, action: Action, location: Location) {
        self.name = name
        self.path = path
        self.action = action
        self.location = location
    }
}
