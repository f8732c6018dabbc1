import Containers
import EventLoop
import TLS

/// The peer's TLS, and what goes wrong with it.
final class PeerSecurity {
    /// What the peer does when it has sent so many bytes of its handshake.
    enum Stop { case silent, ends, resets }

    let tls: SimulatedTLS
    /// What has to be agreed on; nil: nothing need be.
    let wanted: TLSApplicationProtocol?
    /// The handshake cannot come to an end.
    var isDoomed = false
    /// It may not.
    var mayFail = false
    var stop: (at: Int, how: Stop)?
    /// Leaves without a word.
    var saysGoodbye = true
    /// Content of its records, at most.
    var recordBytes = RecordSealer.mostContent
    /// The next record is broken on its way.
    var breaksNext = false

    /// Content from before the handshake is done.
    var unsent: [UInt8] = []
    var wantsEnd = false
    var said = 0
    var isMute = false
    var isOver = false
    var whenOpen: ((PeerSecurity) -> Void)?

    init(_ tls: SimulatedTLS, wanted: TLSApplicationProtocol?) {
        self.tls = tls
        self.wanted = wanted
    }
}

extension SimulatedConnection {
    /// From here on the peer speaks TLS.
    func secure(_ security: PeerSecurity) {
        peerSecurity = security
        if !security.tls.isServer {
            security.tls.sayHello()
            sayFlights(security)
        }
    }

    /// Whether the driver has something of the connection's that no kernel knows of.
    var hasUnsealed: Bool {
        guard let security, !isEndReported, !isSecurityBroken else { return false }
        return security.isOpen && !isSecuredReported || security.content.count > 0 || security.failure != nil
            || security.sawEnd
    }

    /// What the peer's handshake agreed on; nil: it has none, or agreed on nothing.
    var agreedProtocol: TLSApplicationProtocol? { peerSecurity?.tls.facts.applicationProtocol }

    /// All that came is read, and nothing more comes.
    var isTransportOver: Bool { towardsGateway.arrived.isEmpty && towardsGateway.hasEndArrived }

    // MARK: The peer's side

    func deliver(_ bytes: [UInt8]) {
        if let peerSecurity { receiveSealed(bytes, peerSecurity) } else { peer?.received(self, bytes) }
    }

    /// The gateway's direction is over. In TLS it has said so, or it was cut.
    func deliverEnd() {
        guard let peerSecurity, !peerSecurity.tls.sawEnd else {
            peer?.ended(self)
            return
        }
        closeForPeer()
        peer?.wasReset(self)
    }

    /// Whether the peer's direction ends now: what TLS has to say before is said. Else it ends behind the handshake.
    func mayEnd(_ security: PeerSecurity) -> Bool {
        guard security.tls.isOpen else {
            if !isPeerGone, !security.isMute { security.wantsEnd = true }
            return isPeerGone || security.isMute
        }
        if security.tls.saidEnd { return true }
        if security.saysGoodbye {
            putForPeer(security.tls.closeNotify())
        } else {
            network.inflicts(isDownstream ? .clientNoGoodbye : .originNoGoodbye)
        }
        return true
    }

    /// What the peer's end said may be there already.
    func sayGoodbyeJustNow() {
        guard let peerSecurity, peerSecurity.tls.isOpen, !peerSecurity.tls.saidEnd, network.random.below(2) == 0 else {
            return
        }
        towardsGateway.arrived.append(peerSecurity.tls.closeNotify())
    }

    /// The bytes for the wire of what the peer writes.
    func sealForPeer(_ bytes: [UInt8], _ security: PeerSecurity) -> [UInt8] {
        guard security.tls.isOpen else {
            if !security.isMute { security.unsent += bytes }
            return []
        }
        var sealed = security.tls.seal(bytes, most: security.recordBytes)
        if security.breaksNext, !sealed.isEmpty {
            security.breaksNext = false
            // The gateway says what it thinks of it.
            security.mayFail = true
            sealed[sealed.count - 1] ^= 1
            network.inflicts(isDownstream ? .clientBreaksRecord : .originBreaksRecord)
            if isDownstream { trouble = "a broken record" }
        }
        return sealed
    }

    private func sayFlights(_ security: PeerSecurity) {
        let bytes = security.tls.takeOutput()
        guard !bytes.isEmpty, !security.isMute else { return }
        if let stop = security.stop, security.said + bytes.count > stop.at {
            putForPeer(Array(bytes.prefix(max(0, stop.at - security.said))))
            security.isMute = true
            network.inflicts(isDownstream ? .clientBreaksHandshake : .originBreaksHandshake)
            if isDownstream { trouble = "a broken handshake" }
            switch stop.how {
            case .silent: break
            case .ends: endForPeer()
            case .resets: leave(byReset: true)
            }
            return
        }
        security.said += bytes.count
        putForPeer(bytes)
    }

    /// Bytes that came for a peer with TLS.
    func receiveSealed(_ bytes: [UInt8], _ security: PeerSecurity) {
        if security.isMute || security.isOver { return }
        let wasOpen = security.tls.isOpen
        security.tls.take(bytes)
        sayFlights(security)
        if security.isMute { return }
        if security.tls.isOpen, !wasOpen { opened(security) }
        while security.tls.content.count > 0, !isPeerGone { peer?.received(self, security.tls.content.take(.max)) }
        guard let failure = security.tls.failure, !isPeerGone else { return }
        security.isOver = true
        if security.tls.sawNoRecord {
            network.violate("what is no record came on secure connection \(number)")
        } else if !security.isDoomed, !security.mayFail {
            network.violate("TLS of connection \(number) failed: \(failure.text)")
        }
        leave(byReset: false)
    }

    private func opened(_ security: PeerSecurity) {
        let facts = security.tls.facts
        if security.isDoomed { network.violate("a handshake on connection \(number) that cannot be") }
        if let wanted = security.wanted, facts.applicationProtocol != wanted {
            network.violate("connection \(number) agreed on \(String(describing: facts.applicationProtocol))")
        }
        if facts.wasResumed { network.inflicts(isDownstream ? .clientResumes : .originResumes) }
        network.handshakes += 1
        network.note { "peer of \(number) is secure" }
        security.whenOpen?(security)
        let unsent = security.unsent
        security.unsent = []
        if !unsent.isEmpty { putForPeer(sealForPeer(unsent, security)) }
        if security.wantsEnd { end() }
    }

    /// The peer ends it by itself, and knows.
    private func leave(byReset: Bool) {
        if byReset { reset() } else { closeForPeer() }
        network.after(0) { [self] in peer?.wasReset(self) }
    }
}
