import TLS
import YAML

/// `tls` of a listener as the file has it.
struct ListenerTLSDraft: ConfigSection {
    var config = ListenerTLS()
    /// Becomes `config.certificates`.
    var certificates: [CertificateDraft] = []
    var minVersion: TLSVersion?
    var ciphers: CipherPreset?
    var clientAuth: ClientAuthChoice?
    /// Becomes `config.hosts`.
    var hosts: [MapItem<TLSHostDraft>] = []

    static let title = "TLS of a listener"
    static let sentence = "TLS 1.2 and 1.3. All files are read when the configuration is, and again with each reload."
    static let keys: [ConfigKey<ListenerTLSDraft>] = [
        ConfigKey(
            "certificates", \.certificates, .oneOrMore(.section), default: [], isRequired: true,
            "Certificates with their keys. The names inside say which clients get which; with one of ECDSA and one of RSA for a "
                + "name, a client gets what it can use. The first serves clients that ask for no name."),
        ConfigKey(
            "min_version", \.minVersion, .tlsVersion, otherwise: "\"\(TLSVersion.tls12.rawValue)\"",
            "The oldest version that is spoken."),
        ConfigKey(
            "ciphers", \.ciphers, .word, otherwise: CipherPreset.intermediate.rawValue,
            "`intermediate`: forward secrecy and authenticated encryption in 1.2, everything in 1.3; `modern`: 1.3 alone."
        ),
        ConfigKey(
            "client_auth", \.clientAuth, .clientAuth, otherwise: "off", "Whether clients have to show a certificate."),
        ConfigKey(
            "hosts", \.hosts, .map(.tlsHost, to: .section), default: [],
            "Names, or `\"*.\"` and a name for one label before it, that ask something else of clients than the listener; what "
                + "they leave out is the listener's."),
        ConfigKey(
            "unknown_name", \.config.unknownName, .word, default: .serve,
            "What clients get that ask for a name which no certificate has: the first certificate, or the alert "
                + "`unrecognized_name`."),
        ConfigKey(
            "session_tickets", \.config.sessionTickets, .boolean, default: true,
            "Whether clients can resume a session without a whole handshake."),
    ]

    mutating func check(_ reading: SectionReading, _ decoder: ConfigDecoder) {
        if reading.isBlank("certificates"), let place = reading.key("certificates") {
            decoder.report(at: place, "there is no certificate", help: "certificates: { cert: api.pem, key: api.key }")
        }
        config.certificates = certificates.compactMap(\.certificate)
        config.policy = TLSPolicyDraft(
            minVersion: minVersion, ciphers: ciphers, clientAuth: clientAuth
        ).policy(over: TLSPolicy(), reading, decoder)
        var first: [CertificateName: Place] = [:]
        for host in hosts {
            guard let name = CertificateName(host.name) else { continue }
            if let twin = first[name] {
                decoder.report(
                    at: host.place, "the name `\(name.text)` stands twice",
                    related: .init(location: twin.location, note: "first here"))
                continue
            }
            first[name] = host.place
            let draft = TLSPolicyDraft(
                minVersion: host.value.minVersion, ciphers: host.value.ciphers, clientAuth: host.value.clientAuth)
            let policy = draft.policy(over: config.policy, host.value.reading, decoder)
            config.hosts.append(TLSHost(name: name, policy: policy))
            if !reading.faulty.contains("certificates"), !certificates.isEmpty, !isCovered(name) {
                decoder.report(
                    .warning, at: host.place, "no certificate has the name `\(name.text)`: clients get the first one")
            }
        }
        checkTwins(decoder)
    }

    private func isCovered(_ name: CertificateName) -> Bool {
        config.certificates.contains { certificate in
            if case .exact(let host) = name { return certificate.chain.covers(host) }
            return certificate.chain.names.contains { known in
                if case .exact(let host) = known { return name.matches(host) }
                return known == name
            }
        }
    }

    /// A certificate that no client would ever get.
    private func checkTwins(_ decoder: ConfigDecoder) {
        var first: [Certificate.KeyKind: [(names: Set<CertificateName>, place: Place)]] = [:]
        for draft in certificates {
            guard let chain = draft.certificate?.chain, let place = draft.cert?.place else { continue }
            let names = Set(chain.names)
            if !names.isEmpty, let other = first[chain.keyKind]?.first(where: { names.isSubset(of: $0.names) }) {
                decoder.report(
                    .warning, at: place,
                    "an earlier \(chain.keyKind.rawValue) certificate has all names of this one, which is never used",
                    related: .init(location: other.place.location, note: "it is here"))
            }
            first[chain.keyKind, default: []].append((names, place))
        }
    }
}

/// `{ cert: ..., key: ..., ocsp: ... }`.
struct CertificateDraft: ConfigSection {
    var cert: FileContent?
    var key: FileContent?
    var ocsp: FileContent?
    private(set) var certificate: ServerCertificate?

    static let title = "certificate"
    static let sentence =
        "A certificate with its private key. Paths are seen from the folder of the configuration file that names them."
    static let keys: [ConfigKey<CertificateDraft>] = [
        ConfigKey(
            "cert", \.cert, .file("a file with certificates in PEM"), isRequired: true,
            "The server's own certificate, then those that signed it, in PEM."),
        ConfigKey(
            "key", \.key, .file("a file with a private key in PEM"), otherwise: "the file of `cert`",
            "The private key in PEM, not encrypted."),
        ConfigKey(
            "ocsp", \.ocsp, .file("a file with an OCSP response in DER"),
            "An OCSP response in DER that is stapled."),
    ]

    mutating func check(_ reading: SectionReading, _ decoder: ConfigDecoder) {
        guard let cert, !reading.faulty.contains("key"), let chain = decoder.chain(cert, key: key, for: .server) else {
            return
        }
        certificate = ServerCertificate(
            chain: chain, ocsp: ocsp.flatMap { decoder.ocsp($0, for: chain) }, file: cert.name)
    }
}
