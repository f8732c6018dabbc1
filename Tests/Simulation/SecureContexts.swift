import TLS
import YAML

/// Certificates and contexts of TLS in simulated worlds. What no seed changes is made once.
enum SecureContexts {
    /// The one that the gateway, and every good origin, can show.
    static let name = "api.example.com"
    /// A host with a policy of its own.
    static let strictName = "strict.api.example.com"

    static let chain: Result<CertificateChain, any Error> = Result { try chain("ecdsa") }
    static let authorities: Result<CertificateAuthorities, any Error> = Result {
        try CertificateAuthorities(read("ca.pem"))
    }

    // MARK: Clients

    private static let clients: [Result<TLSClientContext, any Error>] = (0..<8).map { kind in
        Result {
            var settings = TLSClientContext.Settings()
            settings.authorities = try read("ca.pem")
            settings.maxVersion = kind & 1 == 0 ? nil : .tls12
            settings.protocols = [[], [.http1], [.http2], [.http2, .http1]][kind / 2]
            return try TLSClientContext(settings)
        }
    }

    static func client(_ wanted: TLSApplicationProtocol?, isOld: Bool) throws -> TLSClientContext {
        let offer = wanted == nil ? 0 : wanted == .http1 ? 1 : 2
        return try clients[2 * offer + (isOld ? 1 : 0)].get()
    }

    // MARK: Origins

    enum OriginKind: Int, CaseIterable { case good, untrusted, withoutHTTP2 }

    private static let origins: [Result<TLSServer, any Error>] = OriginKind.allCases.map { kind in
        Result {
            let chain = try chain(kind == .untrusted ? "self-signed" : "ecdsa")
            var settings = TLSServerContext.Settings(policy: [UInt8](repeating: 0, count: 32))
            settings.protocols = kind == .withoutHTTP2 ? [.http1] : [.http2, .http1]
            settings.tickets = TLSTicketKeys()
            let identity = TLSServerContext.Identity(chain: chain.certificatePEM, key: chain.privateKeyPEM)
            return TLSServer(standard: try TLSServerContext(settings, identities: [identity]))
        }
    }

    static func origin(_ kind: OriginKind) throws -> TLSServer { try origins[kind.rawValue].get() }

    private static func chain(_ name: String) throws -> CertificateChain {
        try CertificateChain(certificates: read("\(name).pem"), key: read("\(name).key"))
    }

    /// A file of the fixtures of TLS.
    private static func read(_ name: String) throws -> [UInt8] {
        let tests = "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
        return try DiskFile.read("\(tests)/TLSTests/Fixtures/\(name)", limit: 1 << 20)
    }
}
