package import Linux
package import Net

/// Why a name has no new addresses.
package enum ResolutionFailure: Error, Equatable, Sendable {
    /// The name does not exist, or has no addresses.
    case notFound
    /// No server answered in time.
    case timeout
    /// The servers could not answer; c-ares' text.
    case server(String)
}

/// Resolves the host names of endpoints, each again when its time to live is over, and tells what changes.
///
/// One thread for the whole process: a name is asked for once however many workers there are, and the engine gets
/// addresses as values, in a simulation as well. What a name last had stays in use while servers fail, without a limit
/// of time.
package final class Resolver: Sendable {
    private let shared: ResolverShared
    private let timing: ResolverTiming

    /// Starts the thread.
    ///
    /// `onChange` gets each new set of addresses, sorted, on the resolver's thread; an empty one when the name is gone.
    /// `onFailure` is told when a name begins to fail, not each time. `servers` (`address:port`, several with commas)
    /// stands in for /etc/resolv.conf.
    package init(
        servers: String? = nil, timing: ResolverTiming = ResolverTiming(),
        onFailure: @escaping @Sendable (String, ResolutionFailure) -> Void = { _, _ in },
        onChange: @escaping @Sendable (String, [IPAddress]) -> Void
    ) throws(Errno) {
        let shared = try ResolverShared()
        self.shared = shared
        self.timing = timing
        try Thread.detach(name: "martlet-dns", stack: 256 * 1024) {
            var loop = ResolverLoop(
                shared: shared, servers: servers, timing: timing, onFailure: onFailure, onChange: onChange)
            loop.run()
        }
    }

    deinit {
        shared.stop()
    }

    /// The names to resolve from now on, in lower case. New ones are asked for at once, those that are left out
    /// forgotten.
    package func setNames(_ names: Set<String>) {
        shared.setNames(names)
    }

    /// Waits until each of these names, which are among those last set, has had its first verdict (addresses, or a
    /// failure), but at most `ResolverTiming.firstVerdict`. Those that have none by then.
    ///
    /// For the thread that sets the names; one at a time.
    package func waitForFirstVerdicts(of names: Set<String>) -> Set<String> {
        shared.waitForVerdicts(of: names, nanoseconds: timing.firstVerdict)
    }

    /// What a name has now: for endpoints that a reload adds to a name which is known already. Nil while it was never
    /// resolved.
    package func addresses(of name: String) -> [IPAddress]? {
        shared.addresses(of: name)
    }

    /// Ends the thread; no callback runs after it has returned. Must not be called from a callback.
    package func stop() {
        shared.stop()
        shared.waitUntilFinished()
    }
}
