import Config
import DNS
import Linux
import Logging
import Net
import Synchronization
import Upstream

/// The host names among the endpoints, and the resolver that keeps their addresses.
///
/// The resolver's thread is started with the first name; a configuration of addresses alone has none.
final class EndpointNames {
    private let logger: Logger
    private let servers: String?
    private let timing: ResolverTiming
    private let current = CurrentUpstreams()
    private var resolver: Resolver?

    /// `servers`: `address:port`, several with commas; nil: those of the system.
    init(_ logger: Logger, servers: String?, timing: ResolverTiming) {
        self.logger = logger
        self.servers = servers
        self.timing = timing
    }

    /// Gives endpoints their addresses before requests can reach them: waits for the first verdict on every name that
    /// is new, at most `ResolverTiming.firstVerdict`. The upstreams in force stay resolved.
    ///
    /// What has no addresses then is unusable until it has. `keep` must follow, whatever becomes of `next`.
    func warm(_ next: [UpstreamState]) {
        let names = Self.names(of: next)
        guard !names.isEmpty, let resolver = resolver ?? start() else { return }
        let inForce = current.all
        current.set(inForce + next)
        resolver.setNames(names.union(Self.names(of: inForce)))
        let late = resolver.waitForFirstVerdicts(of: names)
        // A name that was known before is not reported again.
        current.update(from: resolver)
        for name in late.sorted() {
            logger.warning("no answer yet for \(name): going on, its endpoints are unusable until there is one")
        }
    }

    /// Keeps the names of these upstreams resolved from now on, and forgets the others.
    func keep(_ upstreams: [UpstreamState]) {
        current.set(upstreams)
        resolver?.setNames(Self.names(of: upstreams))
    }

    func stop() {
        resolver?.stop()
        resolver = nil
    }

    private static func names(of upstreams: [UpstreamState]) -> Set<String> {
        var names: Set<String> = []
        for upstream in upstreams {
            for endpoint in upstream.endpoints {
                if case .name(let name, port: _) = endpoint.target { names.insert(name) }
            }
        }
        return names
    }

    private func start() -> Resolver? {
        let current = current
        let logger = logger
        do throws(Errno) {
            resolver = try Resolver(
                servers: servers, timing: timing,
                onFailure: { name, failure in logger.warning("cannot resolve \(name): \(failure)") },
                onChange: { name, addresses in
                    logger.info("resolved \(name): \(addresses.map(\.description).joined(separator: ", "))")
                    current.setAddresses(of: name, addresses)
                })
        } catch {
            logger.error("cannot start the resolver: \(error)")
        }
        return resolver
    }
}

/// The upstreams that the resolver's thread tells of new addresses.
///
/// Addresses are handed out under the lock: between reading what a name has and handing it out, nothing newer may come
/// from the resolver's thread.
private final class CurrentUpstreams: Sendable {
    private let upstreams = Mutex<[UpstreamState]>([])

    var all: [UpstreamState] { upstreams.withLock { $0 } }

    func set(_ new: [UpstreamState]) { upstreams.withLock { $0 = new } }

    func setAddresses(of name: String, _ addresses: [IPAddress]) {
        upstreams.withLock { upstreams in
            for upstream in upstreams { upstream.setAddresses(of: name, addresses) }
        }
    }

    /// Hands out what the resolver knows by now.
    func update(from resolver: Resolver) {
        upstreams.withLock { upstreams in
            for upstream in upstreams {
                for endpoint in upstream.endpoints {
                    guard case .name(let name, port: _) = endpoint.target else { continue }
                    if let addresses = resolver.addresses(of: name) { endpoint.setAddresses(addresses) }
                }
            }
        }
    }
}
