import TLS

/// Which certificates and which policy a name gets: what a listener's contexts are made from.
package struct TLSContextPlan: Sendable, Equatable {
    package struct Context: Sendable, Equatable {
        /// Places in `ListenerTLS.certificates`, one for each kind of key at most.
        package var certificates: [Int]
        /// The place in `policies`.
        package var policy: Int
    }

    /// Different from each other; the first is the listener's.
    package private(set) var policies: [TLSPolicy]
    package private(set) var contexts: [Context] = []
    /// Places in `contexts` by host name in lower case.
    package private(set) var exact: [String: Int] = [:]
    /// By the name behind `*.`, which stands for one label.
    package private(set) var wildcard: [String: Int] = [:]
    /// For clients that ask for no name, or one that is not here.
    package private(set) var standard = 0

    package init(_ tls: ListenerTLS) {
        policies = [tls.policy]
        standard = add(Context(certificates: Self.standard(tls), policy: 0))
        for name in tls.hosts.map(\.name) + tls.certificates.flatMap(\.chain.names) {
            switch name {
            case .exact(let host) where exact[host] == nil: exact[host] = add(context(for: name, in: tls))
            case .wildcard(let suffix) where wildcard[suffix] == nil:
                wildcard[suffix] = add(context(for: name, in: tls))
            default: break
            }
        }
    }

    /// Equal contexts are one.
    private mutating func add(_ context: Context) -> Int {
        if let known = contexts.firstIndex(of: context) { return known }
        contexts.append(context)
        return contexts.count - 1
    }

    private mutating func context(for name: CertificateName, in tls: ListenerTLS) -> Context {
        let certificates = Self.certificates(for: name, in: tls)
        let host =
            tls.hosts.first { $0.name == name }
            ?? tls.hosts.first { host in if case .exact(let text) = name { host.name.matches(text) } else { false } }
        let policy = host?.policy ?? tls.policy
        let number = policies.firstIndex(of: policy) ?? policies.count
        if number == policies.count { policies.append(policy) }
        return Context(certificates: certificates.isEmpty ? Self.standard(tls) : certificates, policy: number)
    }

    /// One certificate of each kind of key: those with the very name before those whose wildcard it falls under.
    private static func certificates(for name: CertificateName, in tls: ListenerTLS) -> [Int] {
        var found = tls.certificates.indices.filter { tls.certificates[$0].chain.names.contains(name) }
        if case .exact(let host) = name {
            found += tls.certificates.indices.filter { tls.certificates[$0].chain.covers(host) }
        }
        return oneOfEachKind(found, in: tls)
    }

    /// The first certificate, and those of other kinds that share a name with it.
    private static func standard(_ tls: ListenerTLS) -> [Int] {
        guard let first = tls.certificates.first else { return [] }
        let names = Set(first.chain.names)
        let kin = tls.certificates.indices.dropFirst().filter {
            !names.isDisjoint(with: tls.certificates[$0].chain.names)
        }
        return oneOfEachKind([0] + kin, in: tls)
    }

    private static func oneOfEachKind(_ indices: [Int], in tls: ListenerTLS) -> [Int] {
        var kinds: Set<Certificate.KeyKind> = []
        return indices.filter { kinds.insert(tls.certificates[$0].chain.keyKind).inserted }
    }
}
