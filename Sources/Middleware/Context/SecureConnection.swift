/// What is known of a client's connection that is encrypted here, as variables show it. One for a connection, made when its
/// handshake is done.
package final class SecureConnection: Sendable {
    /// `TLSv1.3`.
    let version: [UInt8]
    /// As IANA names it: `TLS_AES_128_GCM_SHA256`.
    let cipher: [UInt8]
    /// The name that the client asked for; empty without one.
    let serverName: [UInt8]
    /// The subject of the client's certificate as RFC 4514 writes it; empty without one.
    let clientSubject: [UInt8]
    /// SHA-256 of the client's certificate, lower-case hexadecimal; empty without one.
    let clientFingerprint: [UInt8]
    /// Whole field lines that tell upstreams of the client's certificate; empty: nothing is told.
    package let certificateLines: [UInt8]

    package init(
        version: String, cipher: String, serverName: [UInt8] = [], clientSubject: [UInt8] = [],
        clientFingerprint: [UInt8] = [], certificateLines: [UInt8] = []
    ) {
        self.version = Array(version.utf8)
        self.cipher = Array(cipher.utf8)
        self.serverName = serverName
        self.clientSubject = clientSubject
        self.clientFingerprint = clientFingerprint
        self.certificateLines = certificateLines
    }
}
