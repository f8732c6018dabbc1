internal import CTLS

/// Certificates, versions and policy under which a server shakes hands. Shared by connections and workers, immutable.
@safe
package final class TLSServerContext: Sendable {
    /// What is asked of clients.
    package enum ClientCertificates: Sendable, Equatable {
        case notAsked
        /// `authorities` is PEM.
        case asked(authorities: [UInt8], isRequired: Bool)
    }

    /// What others are told of a client's certificate (RFC 9440).
    package enum ForwardedCertificate: String, Sendable, CaseIterable {
        case off, certificate
        /// The certificates too that it was verified with.
        case chain
    }

    /// A certificate chain (leaf first) with its key, in PEM, and an OCSP response in DER to be stapled.
    package struct Identity: Sendable {
        package var chain: [UInt8]
        package var key: [UInt8]
        package var ocsp: [UInt8]

        package init(chain: [UInt8], key: [UInt8], ocsp: [UInt8] = []) {
            self.chain = chain
            self.key = key
            self.ocsp = ocsp
        }
    }

    package struct Settings: Sendable {
        package var minVersion = TLSVersion.tls12
        package var protocols: [TLSApplicationProtocol] = [.http1]
        package var clients = ClientCertificates.notAsked
        /// 32 bytes: a session is resumed only under the same.
        package var policy: [UInt8]
        package var policyNumber = 0
        /// Whether the caller tells others of clients' certificates.
        package var forwarded = ForwardedCertificate.off
        /// Nil: sessions are not resumed.
        package var tickets: TLSTicketKeys?

        package init(policy: [UInt8]) { self.policy = policy }
    }

    // SAFETY: the library counts references by itself, and changes nothing of a context that is in use.
    nonisolated(unsafe) let context: OpaquePointer
    /// Number of the policy, the caller's: hosts of one number may be asked for on one connection (RFC 9110 section 7.4).
    package let policyNumber: Int
    package let forwarded: ForwardedCertificate

    /// - Parameter identities: at most one for each kind of key; the client's offer decides among them.
    package init(_ settings: Settings, identities: [Identity]) throws(TLSFailure) {
        precondition(settings.policy.count == 32)
        policyNumber = settings.policyNumber
        forwarded = settings.forwarded
        let protocols = TLSApplicationProtocol.wire(settings.protocols)
        var authorities: [UInt8] = []
        var client = CTLS_CLIENT_NOT_ASKED
        if case .asked(let pem, let isRequired) = settings.clients {
            authorities = pem
            client = isRequired ? CTLS_CLIENT_REQUIRED : CTLS_CLIENT_ASKED
        }
        // SAFETY: the library copies what the settings point to during the call.
        let made = unsafe TLSCiphers.intermediate.withCString { ciphers in
            unsafe protocols.withUnsafeBufferPointer { protocols in
                unsafe settings.policy.withUnsafeBufferPointer { policy in
                    unsafe authorities.withUnsafeBufferPointer { authorities in
                        var wanted = unsafe ctls_server_settings()
                        unsafe wanted.min_version = settings.minVersion.wire
                        unsafe wanted.ciphers = ciphers
                        unsafe wanted.protocols = protocols.baseAddress
                        unsafe wanted.protocols_count = protocols.count
                        unsafe wanted.session_context = policy.baseAddress
                        unsafe wanted.tickets = settings.tickets?.tickets
                        unsafe wanted.client = Int32(client)
                        unsafe wanted.authorities = authorities.baseAddress
                        unsafe wanted.authorities_count = authorities.count
                        return unsafe ctls_server_context_new(&wanted)
                    }
                }
            }
        }
        guard let made = unsafe made else { throw TLSFailure(code: UInt64(ctls_last_error()), verification: 0) }
        unsafe context = made
        for identity in identities { try add(identity) }
    }

    deinit {
        unsafe ctls_context_free(context)
    }

    private func add(_ identity: Identity) throws(TLSFailure) {
        // SAFETY: the library copies what it keeps of the bytes during the call.
        let isAdded = unsafe identity.chain.withUnsafeBufferPointer { chain in
            unsafe identity.key.withUnsafeBufferPointer { key in
                unsafe identity.ocsp.withUnsafeBufferPointer { ocsp in
                    unsafe ctls_context_add_certificate(
                        context, chain.baseAddress, chain.count, key.baseAddress, key.count, ocsp.baseAddress,
                        ocsp.count)
                }
            }
        }
        guard isAdded == 1 else { throw TLSFailure(code: UInt64(ctls_last_error()), verification: 0) }
    }
}
