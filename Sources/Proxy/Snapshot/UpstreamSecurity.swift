import Config
import TLS

/// Compiles how an upstream's secure endpoints are spoken to.
enum UpstreamSecurity {
    static func make(_ config: UpstreamConfig) throws(TLSFailure) -> TLSClientContext? {
        guard let tls = config.tls, config.endpoints.contains(where: { $0.isTLS }) else { return nil }
        var settings = TLSClientContext.Settings()
        settings.minVersion = tls.minVersion
        settings.verifies = tls.verifies
        settings.authorities = tls.authorities?.pem
        switch config.protocolVersion {
        case .http1, .http2Cleartext: settings.protocols = [.http1]
        case .http2: settings.protocols = [.http2]
        case .auto: settings.protocols = [.http2, .http1]
        }
        if let own = tls.certificate {
            settings.identity = .init(chain: own.certificatePEM, key: own.privateKeyPEM)
        }
        return try TLSClientContext(settings)
    }
}
