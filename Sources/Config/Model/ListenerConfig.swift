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
    }

    package struct Timeouts: Sendable, Equatable {
        /// From the first byte of a request to the end of its head.
        package var head: Duration = .seconds(10)
        /// From connecting, or from the last answer, to the first byte of a request.
        package var keepAlive: Duration = .seconds(60)
        /// Between two reads of a request body.
        package var bodyIdle: Duration = .seconds(30)
        /// Without progress while writing an answer.
        package var writeIdle: Duration = .seconds(30)
        package init() {}
    }

    package struct Limits: Sendable, Equatable {
        /// Bytes of a request head.
        package var head = 32 * 1024
        /// Field lines of a request head.
        package var fields = 100
        /// Connections open at once; nil: from the limit of open files.
        package var connections: Int?
        /// Connections of one client address (IPv6: /64); nil: no limit.
        package var connectionsPerClient: Int?
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

    package var name = "default"
    package var bind: [Bind] = []
    package var protocols: [HTTPProtocol] = [.http1]
    package var timeouts = Timeouts()
    package var limits = Limits()
    package var pathRules = PathRules()
    /// Peers that send a PROXY protocol header (v1 or v2) first; nil: nobody.
    package var proxyProtocol: [CIDRBlock]?
    package var location: Location

    package init(location: Location) { self.location = location }
}
