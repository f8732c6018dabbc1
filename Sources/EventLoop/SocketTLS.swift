import Containers
package import TLS

/// The TLS of one connection of the epoll driver.
///
///     shaking hands ─▶ open ─┬─▶ ended by the peer
///            │               └─▶ ended by us
///            └─▶ (not TLS: taken off the connection)
struct SocketTLS: ~Copyable {
    enum Phase { case shakingHands, open }

    var stream: TLSStream
    var phase = Phase.shakingHands
    let isServer: Bool
    /// Received and not taken by the stream.
    var input: Buffer?
    /// No byte of the peer was looked at.
    var isUntouched = true
    /// The peer said that it ends its direction.
    var sawEnd = false
    /// We said so.
    var saidEnd = false

    init(_ stream: consuming TLSStream) {
        isServer = stream.isServer
        self.stream = stream
    }

    var facts: SecurityFacts { SecurityFacts(stream) }
}

/// What a handshake agreed on, and with whom.
@usableFromInline
package struct SecurityFacts {
    /// 0x0303 for TLS 1.2, 0x0304 for 1.3.
    package let version: Int
    package let applicationProtocol: TLSApplicationProtocol?
    /// The context whose certificate a server showed.
    package let context: TLSServerContext?
    package let wasResumed: Bool
    package let cipher: String
    /// The name that the client asked for; empty: none.
    package let serverName: [UInt8]
    /// DER; empty: the peer showed none.
    package let peerCertificate: [UInt8]
    /// As RFC 4514 writes it.
    package let peerSubject: [UInt8]
    /// DER of those that the peer's certificate was verified with, where the context's policy is to forward them.
    package let peerSigners: [[UInt8]]

    /// Of a stream whose handshake is done.
    package init(_ stream: borrowing TLSStream) {
        version = stream.version
        applicationProtocol = stream.applicationProtocol
        context = stream.context
        wasResumed = stream.wasResumed
        cipher = stream.cipher
        serverName = stream.serverName
        peerCertificate = stream.peerCertificate
        peerSubject = stream.peerSubject
        peerSigners = stream.context?.forwarded == .chain ? stream.peerSigners : []
    }
}
