/// What is known of one certificate.
package struct Certificate: Sendable, Equatable {
    /// The kind of its public key; a server has one certificate of each kind per name.
    package enum KeyKind: String, Sendable, CaseIterable {
        case rsa, rsaPSS = "rsa-pss", ecdsa, ed25519, ed448
    }

    /// As RFC 4514 writes it, at most 1024 bytes of it.
    package var subject: String
    package var issuer: String
    /// Unix seconds; the first and the last in which it holds.
    package var notBefore: Int64
    package var notAfter: Int64
    /// Nil: a kind that TLS does not use.
    package var keyKind: KeyKind?
    package var keyBits: Int
    /// Whether it may sign other certificates.
    package var isAuthority: Bool
    /// SHA-256 of its DER.
    package var fingerprint: [UInt8]

    /// Lower-case hexadecimal.
    package var fingerprintText: String {
        fingerprint.map { byte in
            let text = String(byte, radix: 16)
            return byte < 16 ? "0" + text : text
        }.joined()
    }
}
