package import TLS

/// How a listener speaks TLS.
package struct ListenerTLS: Sendable, Equatable {
    package enum UnknownName: String, Sendable, CaseIterable {
        /// The first certificate serves.
        case serve
        /// The handshake ends with the alert `unrecognized_name`.
        case refuse
    }

    /// Never empty. The first serves clients that ask for no name, and those whose name nobody has.
    package var certificates: [ServerCertificate] = []
    /// What holds for names without their own.
    package var policy = TLSPolicy()
    /// Names in the file's order, none twice.
    package var hosts: [TLSHost] = []
    /// What clients get whose name no certificate and no entry of `hosts` has.
    package var unknownName = UnknownName.serve
    /// Whether clients get tickets to resume sessions with.
    package var sessionTickets = true
    package init() {}
}

/// A certificate with its key, chosen by the names inside.
package struct ServerCertificate: Sendable, Equatable {
    package var chain: CertificateChain
    /// Stapled.
    package var ocsp: OCSPResponse?
    /// The file as messages and metrics name it.
    package var file: String

    package init(chain: CertificateChain, ocsp: OCSPResponse? = nil, file: String) {
        self.chain = chain
        self.ocsp = ocsp
        self.file = file
    }
}

/// What is asked of clients. Hosts of equal policies may be asked for on one connection; others are misdirected (RFC 9110
/// section 7.4).
package struct TLSPolicy: Sendable, Equatable {
    /// `ciphers: modern` is version 1.3 alone.
    package var minVersion = TLSVersion.tls12
    /// Nil: clients are not asked for certificates.
    package var clientAuth: ClientAuth?
    package init() {}
}

package struct ClientAuth: Sendable, Equatable {
    package var authorities: CertificateAuthorities
    /// Whether a client without a certificate is refused.
    package var isRequired: Bool
    /// What upstreams are told of it.
    package var forward: TLSServerContext.ForwardedCertificate

    package init(
        authorities: CertificateAuthorities, isRequired: Bool = true,
        forward: TLSServerContext.ForwardedCertificate = .off
    ) {
        self.authorities = authorities
        self.isRequired = isRequired
        self.forward = forward
    }
}

/// A name with a policy of its own.
package struct TLSHost: Sendable, Equatable {
    package var name: CertificateName
    /// Complete: what the file leaves out is the listener's.
    package var policy: TLSPolicy

    package init(name: CertificateName, policy: TLSPolicy) {
        self.name = name
        self.policy = policy
    }
}
