import Containers
import Digest
import EventLoop
import HTTP
import Middleware
import TLS

/// `Client-Cert` and `Client-Cert-Chain` (RFC 9440): what upstreams are told of a client's certificate. Made once for a connection.
enum ClientCertificateLines {
    /// Bytes of both lines; the rest of what is added to a request must find room beside them.
    static let limit = FieldAdditions.limit * 3 / 4

    /// Whole lines; empty: there is no certificate, or nobody is to be told.
    static func make(_ facts: SecurityFacts) -> [UInt8] {
        guard let context = facts.context, context.forwarded != .off, !facts.peerCertificate.isEmpty else { return [] }
        return make(certificate: facts.peerCertificate, signers: facts.peerSigners)
    }

    /// - Parameters:
    ///   - certificate: DER.
    ///   - signers: DER of each; without them there is no second line.
    static func make(certificate: [UInt8], signers: [[UInt8]]) -> [UInt8] {
        var lines = Array("Client-Cert: ".utf8) + item(certificate)
        for (index, signer) in signers.enumerated() {
            lines += Array((index == 0 ? "\r\nClient-Cert-Chain: " : ", ").utf8) + item(signer)
        }
        return lines + [0x0D, 0x0A]
    }

    /// A byte sequence of a structured field (RFC 8941 section 3.3.5).
    private static func item(_ der: [UInt8]) -> [UInt8] { [0x3A] + Base64.encode(der.span) + [0x3A] }

    /// In place of what the request itself says, whoever sent it: two answers to one question are none.
    static func put(_ lines: [UInt8], in request: inout RequestContext) {
        for index in 0..<request.head.fields.count {
            switch request.head.fields[index].known {
            case .clientCert, .clientCertChain: request.head.fields[index].isRemoved = true
            default: break
            }
        }
        request.additions.appendLines { $0.append(lines) }
    }
}
