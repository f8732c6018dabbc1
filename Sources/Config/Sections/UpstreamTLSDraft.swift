import TLS
import YAML

/// `tls` of an upstream as the file has it.
struct UpstreamTLSDraft: ConfigSection {
    var ca: FileContent?
    var verify = true
    var serverName: String?
    var cert: FileContent?
    var key: FileContent?
    var minVersion = TLSVersion.tls12
    /// Of `ca`.
    private(set) var authorities: CertificateAuthorities?
    /// There is no `ca`.
    private(set) var trustsSystem = true
    private(set) var certificate: CertificateChain?

    static let title = "TLS of an upstream"
    static let sentence =
        "TLS with `https://` endpoints. The certificate has to be signed by an authority that is trusted and to have the "
        + "endpoint's name."
    static let keys: [ConfigKey<UpstreamTLSDraft>] = [
        ConfigKey(
            "ca", \.ca, .file("a file with certificates in PEM"), otherwise: "the system's",
            "Authorities that may have signed the endpoint's certificate, in PEM."),
        ConfigKey(
            "verify", \.verify, .boolean, default: true,
            "Whether the endpoint's certificate has to be good. Without it, whoever gets between can read and change everything."
        ),
        ConfigKey(
            "server_name", \.serverName, .hostName, otherwise: "the endpoint's host",
            "The name that is asked for and that the certificate must have."),
        ConfigKey(
            "cert", \.cert, .file("a file with certificates in PEM"),
            "A certificate that is shown to endpoints that ask for one, then those that signed it, in PEM."),
        ConfigKey(
            "key", \.key, .file("a file with a private key in PEM"), otherwise: "the file of `cert`",
            "The certificate's private key in PEM, not encrypted."),
        ConfigKey("min_version", \.minVersion, .tlsVersion, default: .tls12, "The oldest version that is spoken."),
    ]

    mutating func check(_ reading: SectionReading, _ decoder: ConfigDecoder) {
        if !verify, let place = reading.key("verify") {
            if let ca = reading.key("ca") {
                decoder.report(at: ca, "`ca` has no use with `verify: false`", help: "take one of them out")
            }
            decoder.report(
                .warning, at: place,
                "certificates of this upstream are not verified: whoever gets between can read "
                    + "and change everything", help: "give the authority that signed them: `ca: FILE`")
        }
        if reading.entries["cert"] == nil, let place = reading.key("key") {
            decoder.report(at: place, "`key` has no use without `cert`")
        }
        trustsSystem = reading.entries["ca"] == nil
        authorities = ca.flatMap { decoder.authorities($0) }
        if let cert, !reading.faulty.contains("key") { certificate = decoder.chain(cert, key: key, for: .client) }
    }
}

extension ConfigType where Value == String {
    /// A host name in its one form.
    static var hostName: ConfigType<String> {
        ConfigType<String>(.text("a host name"), show: { $0 }) { text throws(TextFailure) in
            guard case .exact(let name) = try HostText.pattern(text) else {
                throw TextFailure("`\(text)` is no single name")
            }
            return name.hasPrefix("[") ? String(name.dropFirst().dropLast()) : name
        }
    }
}

extension ConfigDecoder {
    /// Where distributions keep the bundle of authorities; `SSL_CERT_FILE` goes before.
    private static let systemBundles = [
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem",
    ]

    /// The system's authorities, read once; nil: a problem was reported.
    func systemAuthorities(at place: Place) -> CertificateAuthorities? {
        if let known = systemAuthorities { return known }
        for path in inputs.variable("SSL_CERT_FILE").map({ [$0] }) ?? Self.systemBundles {
            guard case .success(let bytes) = inputs.certificate(path) else { continue }
            let file = FileContent(bytes: bytes, name: path, shown: "`\(path)`", place: place)
            systemAuthorities = authorities(file)
            return systemAuthorities
        }
        report(
            at: place, "this system has no bundle of certificate authorities to verify the endpoint with",
            help: "install the package ca-certificates, or give `tls: { ca: FILE }`")
        return nil
    }

    /// What holds for an upstream's endpoints; nil: none of them is https.
    func tls(_ draft: UpstreamTLSDraft?, of endpoints: [EndpointDraft]) -> UpstreamTLS? {
        guard let endpoint = endpoints.first(where: \.endpoint.isTLS) else { return nil }
        guard let draft else { return UpstreamTLS(authorities: systemAuthorities(at: endpoint.place)) }
        var authorities: CertificateAuthorities?
        if draft.verify {
            authorities = draft.trustsSystem ? systemAuthorities(at: endpoint.place) : draft.authorities
        }
        var tls = UpstreamTLS(authorities: authorities)
        tls.serverName = draft.serverName
        tls.certificate = draft.certificate
        tls.minVersion = draft.minVersion
        return tls
    }
}
