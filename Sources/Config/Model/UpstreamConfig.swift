package import Net

package struct UpstreamConfig: Sendable, Equatable {
    /// Endpoints that one upstream may have.
    package static let endpointsLimit = 256

    package struct Endpoint: Sendable, Equatable, Hashable {
        package enum Target: Sendable, Equatable, Hashable {
            case address(SocketAddress)
            /// A name to be resolved, lower case, and a port.
            case name(String, port: UInt16)
            case unix(path: String)
        }
        /// As written; the endpoint's identity over reloads and its name in logs.
        package var url: String
        package var target: Target
        /// 1 to 1000.
        package var weight = 1
        /// Used only while no other endpoint is usable.
        package var isBackup = false
        /// host[:port] of the URL, what `host: endpoint` sends.
        package var authority: String
        /// `https://`.
        package var isTLS = false

        package init(url: String, target: Target, authority: String, isTLS: Bool = false) {
            self.url = url
            self.target = target
            self.authority = authority
            self.isTLS = isTLS
        }
    }

    package enum HostPolicy: Sendable, Equatable {
        /// The client's Host.
        case pass
        /// The endpoint's authority.
        case endpoint
        case name(String)
    }

    package enum Balance: Sendable, Equatable {
        case roundRobin, leastRequests, powerOfTwo, random
        /// Same key, same endpoint, as long as the endpoint is usable.
        case hash([Variable])
    }

    /// The version of HTTP that is spoken with the endpoints.
    package enum ProtocolVersion: String, Sendable, CaseIterable {
        case http1 = "http/1.1"
        /// HTTP/2 in TLS.
        case http2 = "h2"
        /// HTTP/2 without TLS, which the endpoint has to know beforehand.
        case http2Cleartext = "h2c"
        /// What an endpoint with TLS prefers; HTTP/1.1 with others.
        case auto
    }

    package struct Timeouts: Sendable, Equatable {
        package var connect: Duration = .seconds(3)
        /// From the last byte of the request sent to the response's head.
        package var response: Duration = .seconds(30)
        /// Between two reads of a response body.
        package var bodyIdle: Duration = .seconds(60)
        /// Without a byte in either direction of a detected stream.
        package var streamIdle: Duration = .seconds(3600)
        /// Waiting for a connection of the pool.
        package var queue: Duration = .seconds(5)
        /// The whole exchange; nil: no limit.
        package var total: Duration?
        package init() {}
    }

    package struct Pool: Sendable, Equatable {
        package var maxConnections = 1_024
        /// nil: as `maxConnections`.
        package var maxIdle: Int?
        package var idleTimeout: Duration = .seconds(15)
        package var maxAge: Duration = .seconds(600)
        package var maxPending = 1_024
        package init() {}
    }

    package struct Limits: Sendable, Equatable {
        /// Bytes of a response head.
        package var head = 64 * 1024
        /// Field lines of a response head.
        package var fields = 256
        /// Interim responses of one exchange.
        package var interim = 16
        /// Bytes and lines of the trailer section of a response.
        package var trailers = 8 * 1024
        package var trailerFields = 32
        /// Bytes of chunk extensions, in one line and in one response.
        package var chunkLine = 256
        package var chunkExtensions = 16 * 1024
        package init() {}
    }

    package struct Retries: Sendable, Equatable {
        /// Attempts after the first one.
        package var attempts = 1
        /// Percent of the active requests that may be retries.
        package var budgetPercent = 20
        package init() {}
    }

    package var name: String
    package var endpoints: [Endpoint] = []
    package var host = HostPolicy.pass
    package var protocolVersion = ProtocolVersion.http1
    package var balance = Balance.roundRobin
    package var timeouts = Timeouts()
    package var pool = Pool()
    package var limits = Limits()
    package var retries = Retries()
    /// Nil: no endpoint is https.
    package var tls: UpstreamTLS?
    package var location: Location

    package init(name: String, location: Location) {
        self.name = name
        self.location = location
    }
}
