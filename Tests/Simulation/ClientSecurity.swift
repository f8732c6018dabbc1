import Containers
import TLS

/// The TLS of one client of the simulated world, over all of its connections.
final class ClientSecurity {
    private let network: SimulatedNetwork
    /// Of the connection before.
    private var last: PeerSecurity?
    private var session: TLSSession?

    init(network: SimulatedNetwork) { self.network = network }

    /// Speaks TLS on a connection that was just made, or does not although it should.
    ///
    /// - Parameter mayBePlain: whether the client understands what it is told then.
    func begin(_ connection: SimulatedConnection, _ wanted: TLSApplicationProtocol, mayBePlain: Bool) {
        session = last?.tls.takeSession() ?? session
        last = nil
        if mayBePlain, network.happens(.clientSpeaksPlain) {
            connection.trouble = "no TLS where TLS has to be"
            connection.isForbidden = true
            return
        }
        let trusts = !network.happens(.clientUntrusting)
        let isMisdirected = trusts && network.happens(.clientMisdirected)
        let isOld = !isMisdirected && network.happens(.oldTLS)
        // Those who offer nothing get what they speak, if the listener speaks it at all.
        let offer =
            wanted == .http1 && network.securedProtocols.contains(.http1) && network.random.below(3) == 0
            ? nil : wanted
        let name = !trusts ? "evil.example" : isMisdirected ? SecureContexts.strictName : SecureContexts.name
        guard let tls = stream(offer, name: name, isOld: isOld, connection) else { return }
        let security = PeerSecurity(tls, wanted: offer)
        if !trusts { doom(security, connection, "does not trust the gateway") }
        if let offer, !network.securedProtocols.contains(offer) {
            network.inflicts(.clientWithoutProtocol)
            doom(security, connection, "no common protocol")
        }
        if isMisdirected {
            connection.trouble = "misdirected"
            connection.isForbidden = true
        }
        if network.decides(.clientBreaksHandshake) {
            let how: [PeerSecurity.Stop] = [.silent, .ends, .resets]
            security.stop = (at: network.random.below(1_000), how: how[network.random.below(3)])
        }
        if network.decides(.clientBreaksRecord) {
            network.after(Int64(network.random.below(100)) * 1_000_000) { security.breaksNext = true }
        }
        security.saysGoodbye = !network.decides(.clientNoGoodbye)
        if network.happens(.smallRecords) { security.recordBytes = 50 + network.random.below(3_000) }
        last = security
        connection.secure(security)
    }

    private func doom(_ security: PeerSecurity, _ connection: SimulatedConnection, _ reason: String) {
        security.isDoomed = true
        connection.trouble = reason
        connection.isForbidden = true
    }

    private func stream(
        _ offer: TLSApplicationProtocol?, name: String, isOld: Bool, _ connection: SimulatedConnection
    ) -> SimulatedTLS? {
        do {
            let context = try SecureContexts.client(offer, isOld: isOld)
            let resumed = name == SecureContexts.name && network.random.below(2) == 0 ? session : nil
            if let stream = TLSStream(
                client: context, name: TLSPeerName(text: name, isAddress: false), resuming: resumed)
            {
                return SimulatedTLS(stream, connection.link)
            }
            network.violate("no memory for TLS")
        } catch {
            network.violate("no TLS for clients: \(error)")
        }
        return nil
    }
}
