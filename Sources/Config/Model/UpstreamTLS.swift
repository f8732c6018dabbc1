package import TLS

/// How TLS is spoken with the https endpoints of an upstream.
package struct UpstreamTLS: Sendable, Equatable {
    /// Who may have signed the endpoint's certificate; nil: it is not verified.
    package var authorities: CertificateAuthorities?
    /// The name that is asked for and that the certificate must have; nil: the endpoint's host.
    package var serverName: String?
    /// Shown to endpoints that ask for one.
    package var certificate: CertificateChain?
    package var minVersion = TLSVersion.tls12

    /// Whether the certificates of endpoints have to be good.
    package var verifies: Bool { authorities != nil }

    package init(authorities: CertificateAuthorities?) { self.authorities = authorities }
}
