internal import CTLS

/// What a client may take up an earlier connection with (RFC 8446 section 2.2): once, after that it is no longer taken up.
@safe
@usableFromInline
package final class TLSSession: Sendable {
    // SAFETY: the library counts references by itself, and what changes of a session (that it was used) it changes under a lock.
    nonisolated(unsafe) let session: OpaquePointer

    /// Takes over the reference.
    init(owning session: OpaquePointer) { unsafe self.session = session }

    deinit {
        unsafe ctls_session_free(session)
    }
}
