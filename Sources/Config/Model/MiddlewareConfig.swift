package import Net

/// A middleware of the file: one name is one state (one bucket table).
package struct NamedMiddleware: Sendable, Equatable {
    package var name: String
    package var kind: MiddlewareConfig
    package var location: Location
    package init(name: String, kind: MiddlewareConfig, location: Location) {
        self.name = name
        self.kind = kind
        self.location = location
    }
}

package enum MiddlewareConfig: Sendable, Equatable {
    case headers(HeadersConfig)
    case basicAuth(BasicAuthConfig)
    case apiKey(APIKeyConfig)
    case rateLimit(RateLimitConfig)
    case ipFilter(IPFilterConfig)
    case bodyLimit(BodyLimitConfig)
    case requestID(RequestIDConfig)
    case cors(CORSConfig)
    case forwardAuth(ForwardAuthConfig)
    case hsts(HSTSConfig)
    /// A kind that was registered by a package built on Martlet.
    case custom(kind: String, settings: [String: String])
}

/// Edits of one head: first `remove`, then `set` (replaces), then `add` (keeps others).
package struct HeaderEdits: Sendable, Equatable {
    package struct Line: Sendable, Equatable {
        /// As written.
        package var name: String
        package var value: Template
        package init(name: String, value: Template) {
            self.name = name
            self.value = value
        }
    }
    package var set: [Line] = []
    package var add: [Line] = []
    /// Lower-case names.
    package var remove: [String] = []
    package init() {}
}

package struct HeadersConfig: Sendable, Equatable {
    package var request = HeaderEdits()
    package var response = HeaderEdits()
    package init() {}
}

package struct BasicAuthConfig: Sendable, Equatable {
    package var realm = "martlet"
    /// Password hashes in crypt(5) form: bcrypt, SHA-256-crypt, SHA-512-crypt, yescrypt.
    package var users: [String: String] = [:]
    /// Header that carries the user's name upstream; removed from clients in every spelling.
    package var identityHeader = "X-Identity"
    /// How long a verified password is remembered (as a keyed hash).
    package var cache: Duration = .seconds(60)
    package init() {}
}

package struct APIKeyConfig: Sendable, Equatable {
    package enum Source: Sendable, Equatable {
        /// Lower-case field name.
        case header(String)
        case query(String)
    }
    package var source = Source.header("x-api-key")
    /// Identity by SHA-256 of the key (32 bytes).
    package var keys: [[UInt8]: String] = [:]
    package var identityHeader = "X-Identity"
    /// Whether the key is removed before the request goes upstream.
    package var hide = true
    package init() {}
}

package struct RateLimitConfig: Sendable, Equatable {
    /// Requests in `period`.
    package var count = 1
    package var period: Duration = .seconds(1)
    /// Requests that may come at once.
    package var burst = 1
    package var key: [Variable] = [.clientIP]
    /// IPv6 clients count by this prefix.
    package var ipv6Prefix = 64
    /// Keys remembered at once.
    package var maxKeys = 1_000_000
    /// Whether RateLimit and RateLimit-Policy fields are sent.
    package var headers = true
    package init() {}
}

package struct IPFilterConfig: Sendable, Equatable {
    /// Empty: everybody who is not denied.
    package var allow: [CIDRBlock] = []
    package var deny: [CIDRBlock] = []
    package init() {}
}

package struct BodyLimitConfig: Sendable, Equatable {
    package var maxBytes = 10 * 1024 * 1024
    package init() {}
}

package struct RequestIDConfig: Sendable, Equatable {
    package var header = "X-Request-Id"
    /// Whether an id from any client is kept.
    package var trustClients = false
    /// Whether the answer carries the id.
    package var respond = true
    package init() {}
}

package struct CORSConfig: Sendable, Equatable {
    /// Exact origins; `*` alone: every one.
    package var origins: [String] = []
    package var methods: [String] = ["GET", "HEAD", "POST"]
    /// Lower case.
    package var headers: [String] = []
    package var exposeHeaders: [String] = []
    package var credentials = false
    package var maxAge: Duration = .seconds(600)
    package init() {}
}

/// Strict-Transport-Security (RFC 6797).
package struct HSTSConfig: Sendable, Equatable {
    package var maxAge: Duration = .seconds(365 * 86_400)
    package var includeSubdomains = false
    package var preload = false
    package init() {}
}

package struct ForwardAuthConfig: Sendable, Equatable {
    /// Name of an upstream.
    package var upstream: String
    package var path = "/"
    package var timeout: Duration = .seconds(5)
    /// Client fields that the sub-request carries, lower case.
    package var requestHeaders: [String] = ["authorization", "cookie"]
    /// Fields of the auth answer that are set on the request upstream; removed from clients first. As written.
    package var copyHeaders: [String] = []
    package init(upstream: String) { self.upstream = upstream }
}
