package import TLS

/// Certificates of a file that was read, which hold only for a time.
package struct LoadedCertificates: Sendable {
    package enum Content: Sendable {
        case chain(CertificateChain)
        case authorities(CertificateAuthorities)
        case ocsp(OCSPResponse)
    }

    /// The file as messages name it.
    package var shown: String
    package var content: Content

    package init(shown: String, content: Content) {
        self.shown = shown
        self.content = content
    }

    /// What has expired, will soon, or does not hold yet, in a line each.
    ///
    /// - Parameter now: Unix seconds.
    package func warnings(at now: Int64) -> [String] {
        let warnings =
            switch content {
            case .chain(let chain): chain.warnings(at: now)
            case .authorities(let authorities): authorities.warnings(at: now)
            case .ocsp(let response): response.warnings(at: now)
            }
        return warnings.map { "\(shown): \($0.message)" }
    }
}
