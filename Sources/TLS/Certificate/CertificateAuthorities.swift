/// Certificates of authorities that are trusted: what `ca` names.
package struct CertificateAuthorities: Sendable, Equatable {
    /// Certificates of one file; a system's bundle has about 150.
    package static let limit = 1_000

    package let certificates: [Certificate]
    /// Them all, for OpenSSL; comments and private keys of the file are not in it.
    package let pem: [UInt8]

    /// Number of certificates.
    package var count: Int { certificates.count }

    /// - Parameter bytes: a file in PEM.
    package init(_ bytes: [UInt8]) throws(CertificateFailure) {
        guard let content = PEMContent() else { throw CertificateFailure(.authorities, "memory is short") }
        try content.readCertificates(bytes, source: .authorities, limit: Self.limit)
        var certificates: [Certificate] = []
        for index in 0..<content.count {
            guard let certificate = content.certificate(index) else {
                throw CertificateFailure(.authorities, "certificate \(index + 1) in it cannot be read")
            }
            certificates.append(certificate)
        }
        self.certificates = certificates
        pem = content.certificatePEM()
    }

    package static func == (left: Self, right: Self) -> Bool { left.pem == right.pem }
}

extension CertificateAuthorities: CustomStringConvertible, CustomReflectable {
    package var description: String { "\(count) authorities" }
    package var customMirror: Mirror { Mirror(self, children: ["count": count]) }
}
