import Containers
import EventLoop
import Config
import HTTP
import Net
import TLS
import Upstream

/// The TLS of upstream connections, from the connection to its first use. Its time is the connection's.
extension Worker where Driver: ~Copyable {
    /// The connection stands: the endpoint has to prove who it is before anything is sent.
    mutating func secureSession(_ key: SlabKey) {
        let pool = sessions[key].pool
        let index = sessions[key].endpointIndex
        let session = index >= 0 ? pools[pool].resumptions[index] : nil
        guard let context = sessions[key].upstream.tls,
            let stream = TLSStream(
                client: context, name: Self.peerName(sessions[key].endpoint, sessions[key].upstream), resuming: session)
        else {
            // Memory has run out.
            onConnectFailure(key, .overloaded)
            return
        }
        driver.secure(sessions[key].socket, stream)
    }

    mutating func onUpstreamSecured(_ key: SlabKey) {
        // A server that agrees on what was not offered ends the handshake; one that agrees on nothing speaks HTTP/1.1.
        let agreed = driver.security(sessions[key].socket)?.applicationProtocol
        guard !pools[sessions[key].pool].multiplexes || agree(key, on: agreed) else {
            onConnectFailure(key, .tlsFailed)
            return
        }
        onEstablished(key)
    }

    /// Keeps what the next connection to this endpoint may be begun with: servers send it behind the handshake.
    mutating func keepResumption(_ key: SlabKey) {
        let index = sessions[key].endpointIndex
        guard index >= 0, let session = driver.takeSession(sessions[key].socket) else { return }
        pools[sessions[key].pool].resumptions[index] = session
    }

    /// Whom the endpoint's certificate has to name.
    private static func peerName(_ endpoint: EndpointState, _ upstream: UpstreamState) -> TLSPeerName {
        if let name = upstream.config.tls?.serverName { return TLSPeerName(text: name, isAddress: false) }
        switch endpoint.target {
        case .name(let name, _): return TLSPeerName(text: name, isAddress: false)
        case .address(.ip(let address, _)): return TLSPeerName(text: "\(address)", isAddress: true)
        case .address, .unix: return TLSPeerName(text: endpoint.authority, isAddress: false)
        }
    }
}

extension IOFailure {
    /// Why a connection never stood.
    var connectCode: ErrorCode {
        switch self {
        case .timedOut: .connectionTimeout
        case .handshake(let failure): failure.isUntrusted ? .certificateInvalid : .tlsFailed
        case .tls, .truncated: .tlsFailed
        case .refused, .reset, .unreachable, .noPermission, .exhausted, .other: .connectionRefused
        }
    }
}
