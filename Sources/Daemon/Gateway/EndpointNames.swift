import Config
import DNS
import Linux
import Logging
import Net
import Synchronization
import Upstream

/// The host names among the endpoints in force, and the resolver that keeps their addresses.
///
/// The resolver's thread is started with the first name; a configuration of addresses alone has none.
final class EndpointNames {
    private let logger: Logger
    private let current = CurrentUpstreams()
    private var resolver: Resolver?

    init(_ logger: Logger) {
        self.logger = logger
    }

    /// Resolves the names of these upstreams from now on.
    func resolve(_ upstreams: [UpstreamState]) {
        current.set(upstreams)
        var names: Set<String> = []
        for upstream in upstreams {
            for endpoint in upstream.endpoints {
                if case .name(let name, port: _) = endpoint.target { names.insert(name) }
            }
        }
        if names.isEmpty, resolver == nil { return }
        guard let resolver = resolver ?? start() else { return }
        resolver.setNames(names)
        // A name that is known already is not reported again: endpoints that a reload added get it here.
        for name in names {
            if let addresses = resolver.addresses(of: name) { current.setAddresses(of: name, addresses) }
        }
    }

    private func start() -> Resolver? {
        let current = current
        let logger = logger
        do throws(Errno) {
            resolver = try Resolver(
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

    func stop() {
        resolver?.stop()
        resolver = nil
    }
}

/// The upstreams that the resolver's thread tells of new addresses.
private final class CurrentUpstreams: Sendable {
    private let upstreams = Mutex<[UpstreamState]>([])

    func set(_ new: [UpstreamState]) { upstreams.withLock { $0 = new } }

    func setAddresses(of name: String, _ addresses: [IPAddress]) {
        for upstream in upstreams.withLock({ $0 }) { upstream.setAddresses(of: name, addresses) }
    }
}
