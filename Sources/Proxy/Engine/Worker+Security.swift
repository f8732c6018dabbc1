import Containers
import Digest
import EventLoop
import HTTP
import HTTP1
import Middleware
import TLS
import Telemetry

/// The TLS of client connections, from accepting to the first byte of a request.
extension Worker where Driver: ~Copyable {
    /// A connection is admitted and its PROXY header, if it has one, is taken off: what comes next.
    mutating func beginSession(_ key: SlabKey) {
        guard let server = downstreams[key].listener.tls else {
            if !downstreams[key].listener.speaksHTTP1 {
                beginMultiplexing(key)
                return
            }
            downstreams[key].phase = .waiting
            setDownstreamTimer(key, after: downstreams[key].listener.firstByteTimeout)
            return
        }
        guard let stream = TLSStream(server: server) else {
            // Memory has run out.
            refusals.note(.failedHandshake, downstreams[key].listener, downstreams[key].client)
            closeDownstream(key)
            return
        }
        downstreams[key].phase = .handshake
        setDownstreamTimer(key, after: downstreams[key].listener.handshakeTimeout)
        driver.secure(downstreams[key].socket, stream)
    }

    mutating func onSecured(_ key: SlabKey) {
        guard case .handshake = downstreams[key].phase, let facts = driver.security(downstreams[key].socket) else {
            return
        }
        let lines = ClientCertificateLines.make(facts)
        guard lines.count <= ClientCertificateLines.limit else {
            counters.failedHandshakes &+= 1
            refusals.note(.longCertificate, downstreams[key].listener, downstreams[key].client)
            closeDownstream(key)
            return
        }
        counters.handshakes &+= 1
        if facts.wasResumed { counters.resumedHandshakes &+= 1 }
        downstreams[key].isSecure = true
        downstreams[key].secure = Self.describe(facts, lines)
        downstreams[key].policyNumber = facts.context?.policyNumber ?? 0
        if facts.applicationProtocol == .http2 || !downstreams[key].listener.speaksHTTP1 {
            beginMultiplexing(key)
            return
        }
        downstreams[key].phase = .waiting
        setDownstreamTimer(key, after: downstreams[key].listener.firstByteTimeout)
    }

    private static func describe(_ facts: SecurityFacts, _ certificateLines: [UInt8]) -> SecureConnection {
        var fingerprint: [UInt8] = []
        if !facts.peerCertificate.isEmpty {
            fingerprint = Hexadecimal.encode(SHA256.digest(facts.peerCertificate.span).span)
        }
        return SecureConnection(
            version: facts.version == 0x0304 ? "TLSv1.3" : "TLSv1.2", cipher: facts.cipher,
            serverName: facts.serverName, clientSubject: facts.peerSubject, clientFingerprint: fingerprint,
            certificateLines: certificateLines)
    }

    /// A client that broke the handshake off, or with which there is none. It was told in an alert.
    mutating func onHandshakeFailure(_ key: SlabKey, _ failure: IOFailure) {
        counters.failedHandshakes &+= 1
        var reason = ConnectionRefusal.Reason.failedHandshake
        // A client that connects and leaves (a port scan, a health check) is no news.
        if case .handshake = failure {} else { reason = .abandonedHandshake }
        refusals.note(reason, downstreams[key].listener, downstreams[key].client)
        closeDownstream(key)
    }

    mutating func timeOutHandshake(_ key: SlabKey) {
        counters.failedHandshakes &+= 1
        refusals.note(.slowHandshake, downstreams[key].listener, downstreams[key].client)
        closeDownstream(key)
    }

    /// Bytes without TLS where TLS has to be: most likely `http://` in place of `https://`. Told in the clear, and nothing of it is
    /// taken for a request.
    mutating func refusePlain(_ key: SlabKey, _ buffer: consuming Buffer) {
        counters.failedHandshakes &+= 1
        refuseHead(key, buffer, LocalReply(.badRequest, detail: "this port speaks TLS: use https://"))
    }

    /// Lets the request know of its connection, and whether its TLS was agreed on under the policy that the asked host has (RFC 9110 section 7.4): a client must not
    /// get past a host's demand for a certificate by naming another host in its handshake.
    @inline(never)
    mutating func isDirected(_ key: SlabKey) -> Bool {
        request.secure = downstreams[key].secure
        if let lines = request.secure?.certificateLines, !lines.isEmpty {
            ClientCertificateLines.put(lines, in: &request)
        }
        guard let server = downstreams[key].listener.tls, server.hasPolicies else { return true }
        return server.policyNumber(for: request.host.span) == downstreams[key].policyNumber
    }
}
