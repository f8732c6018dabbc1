private import CTLS

/// What OpenSSL made of PEM: certificates in their order and at most one private key. Everything asked of OpenSSL about
/// them goes through here and its extensions.
@safe
struct PEMContent: ~Copyable {
    /// One subject alternative name.
    enum AlternativeName: Equatable {
        case dns([UInt8])
        case address([UInt8])
        case other
    }

    /// Why OpenSSL would not serve the certificates.
    struct Refusal: Equatable {
        enum Cause { case smallKey, weakDigest, key, memory, other }
        var cause: Cause
        /// Of the certificate, from 0.
        var index: Int
        /// OpenSSL's own words.
        var reason: String
    }

    /// Certificates in one file of a server; a chain is three or four.
    static let chainMax = 32

    private let handle: OpaquePointer

    init?() {
        guard let made = unsafe ctls_pem_new() else { return nil }
        unsafe handle = made
    }

    deinit {
        unsafe ctls_pem_free(handle)
    }

    /// Number of certificates.
    var count: Int { unsafe ctls_pem_certificate_count(handle) }
    var hasKey: Bool { unsafe ctls_pem_has_key(handle) != 0 }

    // MARK: Reading

    /// Adds the certificates that stand in the bytes; an error when there is none.
    func readCertificates(
        _ bytes: [UInt8], source: CertificateFailure.Source, limit: Int
    ) throws(CertificateFailure) {
        let (status, block) = read(bytes, ctls_want_certificates, limit: limit)
        switch Int(status) {
        case ctls_read_done: break
        case ctls_read_too_many_certificates: throw CertificateFailure(source, "more than \(limit) certificates in it")
        case ctls_read_memory: throw CertificateFailure(source, "memory is short")
        default: throw CertificateFailure(source, "PEM block \(block) in it is broken", help: Self.help(bytes))
        }
        guard count == 0 else { return }
        throw CertificateFailure(source, "no certificate in it", help: Self.help(bytes))
    }

    /// Takes the private key that stands in the bytes; an error when there is none.
    func readKey(_ bytes: [UInt8], source: CertificateFailure.Source) throws(CertificateFailure) {
        let (status, block) = read(bytes, ctls_want_key, limit: 0)
        switch Int(status) {
        case ctls_read_done: break
        case ctls_read_encrypted_key:
            throw CertificateFailure(
                source, "the private key in it is encrypted",
                help: "nobody is there to ask for a passphrase; take it away: openssl pkey -in FILE -out PLAIN")
        case ctls_read_second_key: throw CertificateFailure(source, "more than one private key in it")
        case ctls_read_memory: throw CertificateFailure(source, "memory is short")
        default: throw CertificateFailure(source, "PEM block \(block) in it is broken", help: Self.help(bytes))
        }
        guard !hasKey else { return }
        throw CertificateFailure(source, "no private key in it", help: Self.help(bytes))
    }

    private func read(_ bytes: [UInt8], _ wanted: Int, limit: Int) -> (status: Int32, block: Int) {
        var block = 0
        // SAFETY: OpenSSL reads `source.count` bytes and keeps none of them; `block` outlives the call.
        let status = unsafe bytes.withUnsafeBytes { source in
            unsafe ctls_pem_read(handle, source.baseAddress, source.count, Int32(wanted), limit, &block)
        }
        return (status, block)
    }

    /// What to do with files in another form.
    private static func help(_ bytes: [UInt8]) -> String? {
        let begin = Array("-----BEGIN ".utf8)
        for start in bytes.indices.dropLast(begin.count - 1) where bytes[start...].starts(with: begin) { return nil }
        guard bytes.first == 0x30 else { return "a PEM file has lines such as -----BEGIN CERTIFICATE-----" }
        return "it looks like DER or PKCS #12, and PEM is needed: see openssl-x509(1) and openssl-pkcs12(1)"
    }

    // MARK: Facts

    /// Nil: its times, its key or its names cannot be read.
    func certificate(_ index: Int) -> Certificate? {
        var facts = ctls_certificate()
        // SAFETY: `facts` outlives the call; an index beyond the last is refused.
        guard unsafe ctls_certificate_read(handle, index, &facts) == 1 else { return nil }
        let kind: Certificate.KeyKind? =
            switch Int(facts.key_kind) {
            case ctls_key_rsa: .rsa
            case ctls_key_rsa_pss: .rsaPSS
            case ctls_key_ecdsa: .ecdsa
            case ctls_key_ed25519: .ed25519
            case ctls_key_ed448: .ed448
            default: nil
            }
        // SAFETY: the tuple is 32 bytes of this value and is copied.
        let fingerprint = unsafe withUnsafeBytes(of: &facts.sha256) { unsafe Array($0) }
        // SAFETY: both write at most `room` bytes at `out`.
        return Certificate(
            subject: unsafe text { unsafe ctls_certificate_subject(handle, index, $0, $1) },
            issuer: unsafe text { unsafe ctls_certificate_issuer(handle, index, $0, $1) },
            notBefore: facts.not_before, notAfter: facts.not_after, keyKind: kind, keyBits: Int(facts.key_bits),
            isAuthority: facts.is_authority != 0, fingerprint: fingerprint)
    }

    /// Its subject alternative names.
    func alternativeNames(_ index: Int) -> [AlternativeName] {
        var facts = ctls_certificate()
        // SAFETY: `facts` outlives the call.
        guard unsafe ctls_certificate_read(handle, index, &facts) == 1 else { return [] }
        return (0..<facts.name_count).map { name in
            var bytes: UnsafePointer<UInt8>?
            var count = 0
            // SAFETY: `bytes` and `count` outlive the call; what they say is copied while `handle` is there.
            let kind = unsafe ctls_certificate_name(handle, index, name, &bytes, &count)
            let content = unsafe Array(UnsafeBufferPointer(start: bytes, count: bytes == nil ? 0 : count))
            switch Int(kind) {
            case ctls_name_dns: return .dns(content)
            case ctls_name_address: return .address(content)
            default: return .other
            }
        }
    }

    /// The subject's last common name; empty without one.
    func commonName(_ index: Int) -> String {
        // SAFETY: it writes at most `room` bytes at `out`.
        unsafe text { unsafe ctls_certificate_common_name(handle, index, $0, $1) }
    }

    func isIssued(_ index: Int, by issuer: Int) -> Bool {
        unsafe ctls_certificate_is_issued(handle, index, issuer) == 1
    }

    /// Whether the private key belongs to the certificate.
    func hasKey(of index: Int) -> Bool { unsafe ctls_certificate_has_key(handle, index) == 1 }

    /// Nil: OpenSSL would serve them at its security level 2.
    func refusal() -> Refusal? {
        var index = 0
        var reason = [CChar](repeating: 0, count: 128)
        // SAFETY: both outlive the call, which writes at most `room` bytes with a zero at the end.
        let status = unsafe reason.withUnsafeMutableBufferPointer { room in
            unsafe ctls_pem_check(handle, &index, room.baseAddress, room.count)
        }
        let cause: Refusal.Cause
        switch Int(status) {
        case ctls_refused_nothing: return nil
        case ctls_refused_small_key: cause = .smallKey
        case ctls_refused_weak_digest: cause = .weakDigest
        case ctls_refused_key: cause = .key
        case ctls_refused_memory: cause = .memory
        default: cause = .other
        }
        let words = reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return Refusal(cause: cause, index: index, reason: String(decoding: words, as: UTF8.self))
    }

    // MARK: Writing

    /// Every certificate in PEM, and nothing else.
    func certificatePEM() -> [UInt8] {
        // SAFETY: it writes at `out` only when there is room for all of it.
        unsafe bytes { unsafe ctls_pem_write_certificates(handle, $0, $1) }
    }

    /// The private key as PKCS #8 in PEM.
    func keyPEM() -> [UInt8] {
        // SAFETY: as above.
        unsafe bytes { unsafe ctls_pem_write_key(handle, $0, $1) }
    }

    /// All that `write` has; it is asked for its length first.
    private func bytes(_ write: (UnsafeMutablePointer<UInt8>?, Int) -> Int) -> [UInt8] {
        let count = write(nil, 0)
        guard count > 0 else { return [] }
        // SAFETY: `write` fills `count` bytes of the buffer, which has room for as many, or none of them.
        return unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = unsafe write(buffer.baseAddress, buffer.count) == count ? count : 0
        }
    }

    private func text(_ write: (UnsafeMutablePointer<UInt8>?, Int) -> Int) -> String {
        // SAFETY: `write` fills at most `buffer.count` bytes and says how many it has.
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: 1_024) { buffer, filled in
            filled = min(max(0, unsafe write(buffer.baseAddress, buffer.count)), buffer.count)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    // MARK: OCSP

    /// What an OCSP response in DER says of the first certificate.
    func ocsp(_ der: [UInt8]) throws(CertificateFailure) -> (status: OCSPResponse.Status, this: Int64, next: Int64?) {
        var facts = ctls_ocsp()
        // SAFETY: OpenSSL reads `source.count` bytes and keeps none of them; `facts` outlives the call.
        let status = unsafe der.withUnsafeBytes { source in
            unsafe ctls_ocsp_read(handle, source.baseAddress, source.count, &facts)
        }
        switch Int(status) {
        case ctls_ocsp_done: break
        case ctls_ocsp_unsuccessful: throw CertificateFailure(.ocsp, "the responder's answer in it is an error")
        case ctls_ocsp_other_certificate:
            throw CertificateFailure(.ocsp, "nothing in it is about the certificate")
        case ctls_ocsp_other_signer:
            throw CertificateFailure(
                .ocsp, "it is signed neither by the certificate's issuer nor by whom the issuer appointed")
        case ctls_ocsp_memory: throw CertificateFailure(.ocsp, "memory is short")
        default: throw CertificateFailure(.ocsp, "no OCSP response in DER in it")
        }
        let meaning: OCSPResponse.Status =
            switch Int(facts.status) {
            case ctls_status_good: .good
            case ctls_status_revoked: .revoked
            default: .unknown
            }
        return (meaning, facts.this_update, facts.has_next_update != 0 ? facts.next_update : nil)
    }
}
