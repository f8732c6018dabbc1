internal import CTLS

/// Why a TLS connection broke off.
@usableFromInline
package struct TLSFailure: Error, Equatable, Sendable {
    /// OpenSSL's packed code; 0: none was given.
    let code: UInt64
    /// OpenSSL's code for what is wrong with the peer's certificate; 0: nothing.
    let verification: Int

    /// The peer said it was over (an alert); else it was us.
    package var isAlert: Bool { ctls_error_is_alert(UInt(truncatingIfNeeded: code)) != 0 }
    /// The peer's certificate is not accepted.
    package var isUntrusted: Bool { verification != 0 }

    /// A few words, OpenSSL's own.
    package var text: String {
        // SAFETY: both are constants of the library's.
        let text =
            unsafe verification == 0 ? ctls_error_text(UInt(truncatingIfNeeded: code)) : ctls_verify_text(verification)
        return unsafe text.map { unsafe String(cString: $0) } ?? "failed"
    }
}
