internal import CTLS

/// Whom a client connects to: a host name, which is asked for and must stand in the certificate, or an address.
package struct TLSPeerName: Sendable, Equatable {
    package let text: String
    package let isAddress: Bool

    package init(text: String, isAddress: Bool) {
        self.text = text
        self.isAddress = isAddress
    }
}

/// Versions, authorities and own certificate with which a client shakes hands. Shared by connections and workers, immutable.
@safe
package final class TLSClientContext: Sendable {
    package struct Settings: Sendable {
        package var minVersion = TLSVersion.tls12
        /// Nil: the newest.
        package var maxVersion: TLSVersion?
        package var protocols: [TLSApplicationProtocol] = []
        /// PEM; nil: the system's.
        package var authorities: [UInt8]?
        /// Whether the server's certificate has to be good.
        package var verifies = true
        package var identity: TLSServerContext.Identity?

        package init() {}
    }

    // SAFETY: the library counts references by itself, and changes nothing of a context that is in use.
    nonisolated(unsafe) let context: OpaquePointer
    let verifies: Bool

    package init(_ settings: Settings) throws(TLSFailure) {
        verifies = settings.verifies
        let protocols = TLSApplicationProtocol.wire(settings.protocols)
        let authorities = settings.authorities ?? []
        // SAFETY: the library copies what the settings point to during the call.
        let made = unsafe TLSCiphers.intermediate.withCString { ciphers in
            unsafe protocols.withUnsafeBufferPointer { protocols in
                unsafe authorities.withUnsafeBufferPointer { authorities in
                    var wanted = unsafe ctls_client_settings()
                    unsafe wanted.min_version = settings.minVersion.wire
                    unsafe wanted.max_version = settings.maxVersion?.wire ?? 0
                    unsafe wanted.ciphers = ciphers
                    unsafe wanted.protocols = protocols.baseAddress
                    unsafe wanted.protocols_count = protocols.count
                    unsafe wanted.verifies = settings.verifies ? 1 : 0
                    unsafe wanted.authorities = authorities.baseAddress
                    unsafe wanted.authorities_count = authorities.count
                    return unsafe ctls_client_context_new(&wanted)
                }
            }
        }
        guard let made = unsafe made else { throw TLSFailure(code: UInt64(ctls_last_error()), verification: 0) }
        unsafe context = made
        if let identity = settings.identity { try show(identity) }
    }

    deinit {
        unsafe ctls_context_free(context)
    }

    private func show(_ identity: TLSServerContext.Identity) throws(TLSFailure) {
        // SAFETY: the library copies what it keeps of the bytes during the call.
        let isAdded = unsafe identity.chain.withUnsafeBufferPointer { chain in
            unsafe identity.key.withUnsafeBufferPointer { key in
                unsafe ctls_context_add_certificate(
                    context, chain.baseAddress, chain.count, key.baseAddress, key.count, nil, 0)
            }
        }
        guard isAdded == 1 else { throw TLSFailure(code: UInt64(ctls_last_error()), verification: 0) }
    }
}
