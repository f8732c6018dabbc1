import Containers
import EventLoop
import TLS

/// The TLS of an origin's connections.
enum SecureOrigin {
    /// Speaks TLS on a connection that was just accepted. A peer: it does not, and there is nothing behind.
    static func begin(_ connection: SimulatedConnection, _ network: SimulatedNetwork) -> (any SimulatedPeer)? {
        if network.happens(.originSpeaksPlain) {
            connection.write(Array("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".utf8))
            return DeafPeer()
        }
        var kind = SecureContexts.OriginKind.good
        if network.happens(.originUntrusted) {
            kind = .untrusted
        } else if network.happens(.originWithoutProtocol) {
            kind = .withoutHTTP2
        }
        do {
            guard let stream = TLSStream(server: try SecureContexts.origin(kind)) else {
                network.violate("no memory for TLS")
                return DeafPeer()
            }
            connection.secure(security(SimulatedTLS(stream, connection.link), kind, network))
        } catch {
            network.violate("no TLS for origins: \(error)")
        }
        return nil
    }

    private static func security(
        _ tls: SimulatedTLS, _ kind: SecureContexts.OriginKind, _ network: SimulatedNetwork
    ) -> PeerSecurity {
        let security = PeerSecurity(tls, wanted: nil)
        security.isDoomed = kind == .untrusted
        // Whoever can speak HTTP/1.1 too takes that.
        security.mayFail = kind == .withoutHTTP2
        if network.decides(.originBreaksHandshake) {
            let how: [PeerSecurity.Stop] = [.silent, .ends, .resets]
            security.stop = (at: network.random.below(1_500), how: how[network.random.below(3)])
        }
        if network.decides(.originBreaksRecord) {
            network.after(Int64(network.random.below(300)) * 1_000_000) { security.breaksNext = true }
        }
        security.saysGoodbye = !network.decides(.originNoGoodbye)
        if network.happens(.smallRecords) { security.recordBytes = 50 + network.random.below(3_000) }
        security.whenOpen = { security in
            if security.tls.facts.serverName != Array(SecureContexts.name.utf8) {
                network.violate("an origin is asked for another name")
            }
        }
        return security
    }
}

/// A peer that heeds nothing, and leaves when the gateway does.
private final class DeafPeer: SimulatedPeer {
    func connected(_ connection: SimulatedConnection) {}
    func refused(_ connection: SimulatedConnection) {}
    func received(_ connection: SimulatedConnection, _ bytes: [UInt8]) {}
    func ended(_ connection: SimulatedConnection) { connection.close() }
    func wasReset(_ connection: SimulatedConnection) {}
}
