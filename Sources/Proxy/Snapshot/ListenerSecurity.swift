import Config
import Digest
import TLS

/// Compiles a listener's TLS: one context for each set of certificates and policy, found by name.
enum ListenerSecurity {
    /// - Parameter tickets: the keys that sessions of all listeners are resumed with.
    static func make(
        _ config: ListenerTLS, protocols: [TLSApplicationProtocol], tickets: TLSTicketKeys?
    ) throws(TLSFailure) -> TLSServer {
        let plan = TLSContextPlan(config)
        var contexts: [TLSServerContext] = []
        for context in plan.contexts {
            let policy = plan.policies[context.policy]
            var settings = TLSServerContext.Settings(policy: fingerprint(policy))
            settings.policyNumber = context.policy
            settings.minVersion = policy.minVersion
            settings.protocols = protocols
            settings.tickets = config.sessionTickets ? tickets : nil
            if let client = policy.clientAuth {
                settings.clients = .asked(authorities: client.authorities.pem, isRequired: client.isRequired)
                settings.forwarded = client.forward
                // A resumed session knows no chain, and fields must not come and go (RFC 9440 section 3.2).
                if client.forward == .chain { settings.tickets = nil }
            }
            let identities = context.certificates.map { index in
                let certificate = config.certificates[index]
                return TLSServerContext.Identity(
                    chain: certificate.chain.certificatePEM, key: certificate.chain.privateKeyPEM,
                    ocsp: certificate.ocsp?.der ?? [])
            }
            contexts.append(try TLSServerContext(settings, identities: identities))
        }
        return TLSServer(
            standard: contexts[plan.standard], exact: table(plan.exact, contexts),
            wildcard: table(plan.wildcard, contexts), refusesUnknownNames: config.unknownName == .refuse)
    }

    private static func table(_ places: [String: Int], _ contexts: [TLSServerContext]) -> [[UInt8]: TLSServerContext] {
        Dictionary(uniqueKeysWithValues: places.map { (Array($0.key.utf8), contexts[$0.value]) })
    }

    /// What a session is bound to: under other demands on clients it is not taken up. The authorities count, not where they stand.
    private static func fingerprint(_ policy: TLSPolicy) -> [UInt8] {
        var bytes = Array("martlet tls policy\n\(policy.minVersion.rawValue)\n".utf8)
        if let client = policy.clientAuth {
            bytes += Array("client \(client.isRequired)\n".utf8) + client.authorities.pem
        }
        let digest = SHA256.digest(bytes.span)
        return digest.indices.map { digest[$0] }
    }
}
