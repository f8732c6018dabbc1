package import Net

/// A server's or a client's certificate with what signed it, and its private key. Once it is there, OpenSSL takes it.
///
/// A class, since a listener's snapshot, its contexts and its policies all refer to the same few kilobytes; equal when
/// certificates and key are.
package final class CertificateChain: Sendable {
    /// Who shows it: clients are not looked for by a name.
    package enum Use: Sendable {
        case server, client
    }

    /// The leaf first, then those that the file has behind it.
    package let certificates: [Certificate]
    /// The leaf's DNS names: of its subject alternative names, or its common name when it has none of these.
    package let names: [CertificateName]
    package let addresses: [IPAddress]
    package let keyKind: Certificate.KeyKind
    /// What is doubtful; what depends on the time is in `warnings(at:)`.
    package let warnings: [CertificateWarning]
    /// Leaf and chain for OpenSSL, and nothing else.
    package let certificatePEM: [UInt8]
    /// The key for OpenSSL, PKCS #8. Secret.
    package let privateKeyPEM: [UInt8]

    package var leaf: Certificate { certificates[0] }
    /// SHA-256 of the leaf.
    package var fingerprint: [UInt8] { leaf.fingerprint }
    /// Unix seconds.
    package var notBefore: Int64 { leaf.notBefore }
    package var notAfter: Int64 { leaf.notAfter }

    /// - Parameters:
    ///   - certificates: a file in PEM: the leaf first, then what signed it.
    ///   - key: a file with the private key in PEM; nil: it stands in the same file.
    package init(certificates: [UInt8], key: [UInt8]?, for use: Use = .server) throws(CertificateFailures) {
        guard let content = PEMContent() else {
            throw CertificateFailures(all: [CertificateFailure(.certificates, "memory is short")])
        }
        var failures: [CertificateFailure] = []
        do throws(CertificateFailure) {
            try content.readCertificates(certificates, source: .certificates, limit: PEMContent.chainMax)
        } catch {
            failures.append(error)
        }
        do throws(CertificateFailure) {
            try content.readKey(key ?? certificates, source: key == nil ? .certificates : .key)
        } catch {
            if !failures.contains(error) { failures.append(error) }
        }
        guard failures.isEmpty else { throw CertificateFailures(all: failures) }
        let facts: CertificateFacts
        do throws(CertificateFailure) {
            facts = try CertificateFacts(content, isKeyApart: key != nil, use)
        } catch {
            throw CertificateFailures(all: [error])
        }
        self.certificates = facts.certificates
        names = facts.names
        addresses = facts.addresses
        keyKind = facts.keyKind
        warnings = facts.warnings
        certificatePEM = content.certificatePEM()
        privateKeyPEM = content.keyPEM()
    }

    /// Whether the certificate is for a host name, in lower case and without a final dot.
    package func covers(_ host: String) -> Bool { names.contains { $0.matches(host) } }
}

extension CertificateChain: Equatable {
    package static func == (left: CertificateChain, right: CertificateChain) -> Bool {
        left === right || (left.certificatePEM == right.certificatePEM && left.privateKeyPEM == right.privateKeyPEM)
    }
}

/// The key must not get into a log by way of `print` or `dump`.
extension CertificateChain: CustomStringConvertible, CustomReflectable {
    package var description: String {
        "\(keyKind.rawValue) certificate \(leaf.fingerprintText) for "
            + "\((names.map(\.text) + addresses.map { "\($0)" }).joined(separator: ", "))"
    }
    package var customMirror: Mirror { Mirror(self, children: ["certificate": description]) }
}
