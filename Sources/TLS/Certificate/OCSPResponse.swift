/// An OCSP response about a server's certificate, to be stapled (RFC 6066 section 8).
package struct OCSPResponse: Sendable, Equatable {
    package enum Status: Sendable, Equatable {
        case good, revoked, unknown
    }

    /// The whole response, as it goes to clients.
    package let der: [UInt8]
    package let status: Status
    /// Unix seconds; from when on it holds.
    package let thisUpdate: Int64
    /// Until when; nil: a newer one is there at any time.
    package let nextUpdate: Int64?

    /// - Parameters:
    ///   - der: the file's bytes.
    ///   - chain: the response must be about its first certificate.
    package init(_ der: [UInt8], for chain: CertificateChain) throws(CertificateFailure) {
        guard let content = PEMContent() else { throw CertificateFailure(.ocsp, "memory is short") }
        try content.readCertificates(chain.certificatePEM, source: .certificates, limit: PEMContent.chainMax)
        let found = try content.ocsp(der)
        self.der = der
        status = found.status
        thisUpdate = found.this
        nextUpdate = found.next
    }
}
