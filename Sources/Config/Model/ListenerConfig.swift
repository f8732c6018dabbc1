package import Net

package struct ListenerConfig: Sendable, Equatable {
    package enum Bind: Sendable, Equatable, Hashable {
        /// An IP address and port; port 0 lets the kernel choose.
        case address(SocketAddress)
        case unix(path: String, mode: UInt32?, owner: String?)
        /// A socket that systemd hands over under this name.
        case systemd(String)
    }

    /// How HTTP is spoken with clients.
    package enum HTTPProtocol: String, Sendable, CaseIterable {
        case http1 = "http/1.1"
        /// HTTP/2 in TLS.
        case http2 = "h2"
        /// HTTP/2 without TLS, by prior knowledge.
        case http2Cleartext = "h2c"
    }

    package struct Timeouts: Sendable, Equatable {
        /// From connecting to the end of the TLS handshake.
        package var handshake: Duration = .seconds(10)
        /// From the first byte of a request to the end of its head.
        package var head: Duration = .seconds(10)
        /// From connecting to the first byte of the first request.
        package var firstByte: Duration = .seconds(30)
        /// From the last answer to the first byte of the next request.
        package var keepAlive: Duration = .seconds(60)
        /// A connection older than this (more or less a tenth) ends with its next answer; nil: at any age it goes on.
        package var connectionAge: Duration? = .seconds(3_600)
        /// Between two reads of a request body.
        package var bodyIdle: Duration = .seconds(30)
        /// Without progress while writing an answer.
        package var writeIdle: Duration = .seconds(30)
        /// How long a client may stay below `requestRate` and `responseRate`.
        package var rateGrace: Duration = .seconds(10)
        /// After a last answer: silence of the client that ends the connection.
        package var lingerIdle: Duration = .seconds(5)
        /// After a last answer: when the connection ends in any case.
        package var linger: Duration = .seconds(30)
        package init() {}
    }

    package struct Limits: Sendable, Equatable {
        /// Bytes of a request head.
        package var head = 32 * 1024
        /// Field lines of a request head.
        package var fields = 100
        /// Bytes of a request target.
        package var target = 8 * 1024
        /// Bytes of one field line.
        package var field = 8 * 1024
        /// Bytes and lines of the trailer section of a request.
        package var trailers = 8 * 1024
        package var trailerFields = 32
        /// Bytes of chunk extensions, in one line and in one request.
        package var chunkLine = 256
        package var chunkExtensions = 16 * 1024
        /// Requests of one connection; nil: no limit.
        package var requests: Int? = 10_000
        /// Bytes in a second that a client has to send of a request body; nil: any number.
        package var requestRate: Int? = 256
        /// Bytes in a second that a client has to take of an answer; nil: any number.
        package var responseRate: Int? = 256
        /// Bytes of answers that the kernel keeps for a client beyond what is on its way; nil: what the system allows.
        package var unsent: Int? = 128 * 1024
        /// Bytes of a request that are read and thrown away after its answer.
        package var linger = 64 << 20
        /// Connections open at once; nil: from the limit of open files.
        package var connections: Int?
        /// Connections of one client address (IPv6: /64); nil: no limit.
        package var connectionsPerClient: Int? = 256
        package init() {}
    }

    package struct PathRules: Sendable, Equatable {
        package enum EncodedSlash: String, Sendable, CaseIterable { case keep, reject }
        /// What happens to %2f in a path: kept and opaque, or refused.
        package var encodedSlash = EncodedSlash.keep
        /// Whether `//` is merged into `/`.
        package var mergeSlashes = false
        package init() {}
    }

    /// Name of the listener that `metrics` makes.
    package static let metricsName = "metrics"
    /// Name of the listener that `admin` makes.
    package static let adminName = "admin"

    package var name = "default"
    package var bind: [Bind] = []
    package var protocols: [HTTPProtocol] = [.http1]
    package var timeouts = Timeouts()
    package var limits = Limits()
    package var http2 = HTTP2Limits()
    package var pathRules = PathRules()
    /// Peers that send a PROXY protocol header (v1 or v2) first; nil: nobody.
    package var proxyProtocol: [CIDRBlock]?
    /// Nil: connections are not encrypted.
    package var tls: ListenerTLS?
    /// Port of https to which every request is sent; nil: requests are served.
    package var redirectToHTTPS: UInt16?
    package var location: Location

    package init(location: Location) { self.location = location }
}
