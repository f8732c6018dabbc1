import Net

/// What a chain says of itself, and whether OpenSSL would serve it.
struct CertificateFacts {
    private(set) var certificates: [Certificate] = []
    private(set) var names: [CertificateName] = []
    private(set) var addresses: [IPAddress] = []
    private(set) var keyKind = Certificate.KeyKind.rsa
    private(set) var warnings: [CertificateWarning] = []

    /// - Parameter isKeyApart: the key stands in a file of its own.
    init(_ content: borrowing PEMContent, isKeyApart: Bool, _ use: CertificateChain.Use) throws(CertificateFailure) {
        for index in 0..<content.count {
            guard let certificate = content.certificate(index) else {
                throw CertificateFailure(.certificates, "certificate \(index + 1) in it cannot be read")
            }
            certificates.append(certificate)
        }
        guard let keyKind = certificates.first?.keyKind else {
            throw CertificateFailure(.certificates, "its key is of a kind that TLS does not use")
        }
        self.keyKind = keyKind
        try checkKey(content, source: isKeyApart ? .key : .certificates)
        try checkStrength(content)
        readNames(content, use)
        checkOrder(content)
    }

    private func checkKey(
        _ content: borrowing PEMContent, source: CertificateFailure.Source
    ) throws(CertificateFailure) {
        guard !content.hasKey(of: 0) else { return }
        for index in 1..<max(1, content.count) where content.hasKey(of: index) {
            throw CertificateFailure(
                .certificates, "its first certificate is not that of the private key, but certificate \(index + 1) is",
                help: "the server's own certificate comes first, then what signed it")
        }
        throw CertificateFailure(source, "the private key in it does not belong to the certificate")
    }

    private func checkStrength(_ content: borrowing PEMContent) throws(CertificateFailure) {
        guard let refusal = content.refusal() else { return }
        let certificate = certificates[refusal.index]
        let which = refusal.index == 0 ? "the certificate" : "certificate \(refusal.index + 1) (\(certificate.subject))"
        switch refusal.cause {
        case .memory: throw CertificateFailure(.certificates, "memory is short")
        case .smallKey:
            throw CertificateFailure(
                .certificates, "\(which) has a key of \(certificate.keyBits) bits, and clients refuse it",
                help: "OpenSSL says: \(refusal.reason); RSA needs 2048 bits, ECDSA 256")
        case .weakDigest:
            throw CertificateFailure(
                .certificates, "\(which) is signed with a weak digest, such as SHA-1, and clients refuse it",
                help: "OpenSSL says: \(refusal.reason); have it signed with SHA-256")
        case .key, .other:
            throw CertificateFailure(.certificates, "OpenSSL does not take \(which): \(refusal.reason)")
        }
    }

    // MARK: Names

    private mutating func readNames(_ content: borrowing PEMContent, _ use: CertificateChain.Use) {
        let found = content.alternativeNames(0)
        for name in found {
            switch name {
            case .dns(let bytes): addName(bytes)
            case .address(let bytes): addAddress(bytes)
            case .other: break
            }
        }
        // RFC 9525 section 6.3: the common name is none; clients stopped to look at it.
        guard use == .server, !found.contains(where: { $0 != .other }) else { return }
        let commonName = content.commonName(0)
        guard let name = CertificateName(commonName) else {
            warn("there is no DNS name or address in it: clients can only be sent to it as the first certificate")
            return
        }
        names = [name]
        warn(
            "its name `\(name.text)` stands only in the subject's common name, where most clients do not look: "
                + "it needs a subjectAltName")
    }

    private mutating func addName(_ bytes: [UInt8]) {
        guard let name = CertificateName(bytes.span) else {
            warn("its name `\(String(decoding: bytes.prefix(80), as: UTF8.self))` is no host name, and is not used")
            return
        }
        if !names.contains(name) { names.append(name) }
    }

    private mutating func addAddress(_ bytes: [UInt8]) {
        guard let address = Self.address(bytes) else {
            warn("an address in it has \(bytes.count) bytes, and is not used")
            return
        }
        if !addresses.contains(address) { addresses.append(address) }
    }

    private static func address(_ bytes: [UInt8]) -> IPAddress? {
        func word(_ range: Range<Int>) -> UInt64 { bytes[range].reduce(0) { $0 << 8 | UInt64($1) } }
        switch bytes.count {
        case 4: return .v4(UInt32(truncatingIfNeeded: word(0..<4)))
        case 16: return .v6(word(0..<8), word(8..<16))
        default: return nil
        }
    }

    // MARK: Order

    private mutating func checkOrder(_ content: borrowing PEMContent) {
        for index in 1..<max(1, content.count) where !content.isIssued(index - 1, by: index) {
            let signer = (0..<content.count).first { $0 != index - 1 && content.isIssued(index - 1, by: $0) }
            let child = index == 1 ? "the certificate" : "certificate \(index)"
            if signer != nil {
                warn("its certificates are out of order: each is signed by the next one")
            } else if content.isIssued(index - 1, by: index - 1) {
                warn("certificate \(index + 1) in it is not needed: \(child) is signed by itself")
            } else {
                warn("\(child) in it is not signed by certificate \(index + 1)")
            }
            return
        }
    }

    private mutating func warn(_ message: String) {
        warnings.append(CertificateWarning(.certificates, message))
    }
}
