import TLS
import YAML

/// Which cipher suites are spoken.
enum CipherPreset: String, Sendable, CaseIterable {
    case intermediate, modern
}

/// `client_auth: off`, or who may have signed the certificates of clients.
enum ClientAuthChoice: Sendable {
    case off
    case asked(ClientAuth)
}

/// Parts of a policy that the file gives.
struct TLSPolicyDraft {
    var minVersion: TLSVersion?
    var ciphers: CipherPreset?
    var clientAuth: ClientAuthChoice?

    /// - Parameter standard: holds for what is not given.
    func policy(over standard: TLSPolicy, _ reading: SectionReading, _ decoder: ConfigDecoder) -> TLSPolicy {
        var policy = standard
        if ciphers == .modern, minVersion == .tls12, let place = reading.key("min_version") {
            decoder.report(
                at: place, "`ciphers: modern` speaks TLS 1.3 alone",
                help: "leave `min_version` out, or use intermediate")
        }
        if let minVersion { policy.minVersion = minVersion }
        switch ciphers {
        case .modern: policy.minVersion = .tls13
        // Against the listener's `modern`.
        case .intermediate: policy.minVersion = minVersion ?? .tls12
        case nil: break
        }
        switch clientAuth {
        case .off: policy.clientAuth = nil
        case .asked(let auth): policy.clientAuth = auth
        case nil: break
        }
        return policy
    }
}

/// A name of `hosts`.
struct TLSHostDraft: ConfigSection {
    var minVersion: TLSVersion?
    var ciphers: CipherPreset?
    var clientAuth: ClientAuthChoice?
    private(set) var reading = SectionReading(place: Place(location: Location(file: "", line: 0, column: 0)))

    static let title = "TLS of a host"
    static let sentence =
        "What clients that ask for this name must bring. A connection that was made for one name is not served others that ask for "
        + "something else: 421."
    static let keys: [ConfigKey<TLSHostDraft>] = [
        ConfigKey(
            "min_version", \.minVersion, .tlsVersion, otherwise: "the listener's", "The oldest version that is spoken."),
        ConfigKey("ciphers", \.ciphers, .word, otherwise: "the listener's", "As for the listener."),
        ConfigKey(
            "client_auth", \.clientAuth, .clientAuth, otherwise: "the listener's",
            "Whether clients have to show a certificate."),
    ]

    mutating func check(_ reading: SectionReading, _ decoder: ConfigDecoder) {
        self.reading = reading
    }
}

/// `client_auth: { ca: ..., require: true }`.
struct ClientAuthDraft: ConfigSection {
    var ca: FileContent?
    var require = true
    var forward = TLSServerContext.ForwardedCertificate.off
    private(set) var choice: ClientAuthChoice?

    static let title = "client auth"
    static let sentence = "Certificates of clients."
    static let keys: [ConfigKey<ClientAuthDraft>] = [
        ConfigKey(
            "ca", \.ca, .file("a file with certificates in PEM"), isRequired: true,
            "Authorities that may have signed them, in PEM."),
        ConfigKey(
            "require", \.require, .boolean, default: true,
            "Whether a client without a certificate is refused; a bad one is refused in any case."),
        ConfigKey(
            "forward", \.forward, .word, default: .off,
            "What upstreams get of the client's certificate (RFC 9440): `certificate` is the field `Client-Cert`, `chain` also "
                + "`Client-Cert-Chain` with those that it was verified with; then sessions are not resumed."),
    ]

    mutating func check(_ reading: SectionReading, _ decoder: ConfigDecoder) {
        guard let ca, let authorities = decoder.authorities(ca) else { return }
        choice = .asked(ClientAuth(authorities: authorities, isRequired: require, forward: forward))
    }
}

extension ConfigType where Value == ClientAuthChoice {
    static var clientAuth: ConfigType<ClientAuthChoice> {
        let section = ConfigType<ClientAuthDraft>.section
        return ConfigType<ClientAuthChoice>(.either([.words(["off"]), section.shape])) { node, decoder in
            if node.text == "off" { return .off }
            return section.read(node, decoder)?.choice
        }
    }
}

extension ConfigType where Value == TLSVersion {
    static var tlsVersion: ConfigType<TLSVersion> {
        let words = TLSVersion.allCases.map(\.rawValue)
        return ConfigType<TLSVersion>(.words(words), show: { "\"\($0.rawValue)\"" }) { text throws(TextFailure) in
            var bare = text.lowercased()
            for prefix in ["tlsv", "tls"] where bare.hasPrefix(prefix) { bare.removeFirst(prefix.count) }
            bare = bare.filter { $0 != " " }
            if let version = TLSVersion(rawValue: text) { return version }
            if words.contains(bare) { throw TextFailure("a version is its number", help: "write \"\(bare)\"") }
            if ["1", "1.0", "1.1", "2", "3", "sslv3"].contains(bare) {
                throw TextFailure(
                    "`\(text)` is not spoken: versions before 1.2 are broken (RFC 8996)", help: "write \"1.2\"")
            }
            throw TextFailure.word(text, among: words)
        }
    }
}

extension ConfigType where Value == String {
    /// A name of `hosts`, in one form.
    static var tlsHost: ConfigType<String> {
        text("a host name, or \"*.\" and a name") { text throws(TextFailure) in
            if text == "*" {
                throw TextFailure("`*` is no name", help: "what holds for all names stands in `tls` itself")
            }
            switch try HostText.pattern(text) {
            case .exact(let name)
            where name.hasPrefix("[") || name.split(separator: ".").last?.allSatisfy(\.isNumber) == true:
                throw TextFailure("`\(text)` is an address, and clients ask for names alone")
            case .exact, .wildcard: break
            }
        }
    }
}
