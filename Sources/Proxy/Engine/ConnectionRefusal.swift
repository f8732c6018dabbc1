package import Net

/// Client connections of one worker that ended before anybody could be answered, for one line of the log.
package struct ConnectionRefusal: Sendable {
    package enum Reason: Int, Sendable, CaseIterable {
        case noProxyHeader, slowProxyHeader, clientLimit, listenerLimit, gatewayLimit
        /// Idle, and closed for new ones.
        case madeRoom
        /// Not connections: times that accepting stopped because descriptors or memory of the kernel had run out.
        case outOfDescriptors
        /// TLS.
        case failedHandshake, slowHandshake, abandonedHandshake, longCertificate
        /// HTTP/2.
        case brokeRules, flooded

        package var isConnection: Bool { self != .outOfDescriptors }
    }

    package let reason: Reason
    package let count: Int
    /// Of the last one.
    package let listener: String
    /// Of the last one; unspecified for the peer of a Unix socket.
    package let client: IPAddress
}

extension ConnectionRefusal: CustomStringConvertible {
    package var description: String {
        let cause =
            switch reason {
            case .noProxyHeader: "no valid PROXY header"
            case .slowProxyHeader: "the PROXY header did not come in time"
            case .clientLimit: "the client has as many as connections_per_client allows"
            case .listenerLimit: "the listener has as many as it may"
            case .gatewayLimit: "the gateway has as many as limits.connections allows"
            case .madeRoom: "idle, and nearly as many are open as may be"
            case .outOfDescriptors: "no descriptors or memory left"
            case .failedHandshake: "the TLS handshake failed"
            case .slowHandshake: "the TLS handshake did not end in time"
            case .longCertificate: "the client's certificate is too long to be forwarded"
            case .brokeRules: "what came is against the rules of HTTP/2"
            case .flooded: "the client did more than a limit of `http2` allows"
            case .abandonedHandshake: "gone in the middle of the TLS handshake"
            }
        if reason == .outOfDescriptors { return "stopped accepting for a moment, times: \(count): \(cause)" }
        let subject = count == 1 ? "1 connection" : "\(count) connections"
        let peer = client.isUnspecified ? "a Unix socket" : "\(client)"
        return "closed \(subject) to listener \(listener), the last from \(peer): \(cause)"
    }
}

/// What was refused since the last report. Counted, because a flood must not fill the log.
struct ConnectionRefusals {
    private var pending = [ConnectionRefusal?](repeating: nil, count: ConnectionRefusal.Reason.allCases.count)
    private(set) var isEmpty = true

    mutating func note(_ reason: ConnectionRefusal.Reason, _ listener: ListenerState, _ client: IPAddress) {
        let count = pending[reason.rawValue]?.count ?? 0
        pending[reason.rawValue] = ConnectionRefusal(
            reason: reason, count: count &+ 1, listener: listener.name, client: client)
        isEmpty = false
    }

    mutating func noteAcceptPauses(_ count: Int) {
        let reason = ConnectionRefusal.Reason.outOfDescriptors
        pending[reason.rawValue] = ConnectionRefusal(reason: reason, count: count, listener: "", client: .v4(0))
        isEmpty = false
    }

    /// One for each reason that there was.
    mutating func takeAll() -> [ConnectionRefusal] {
        var all: [ConnectionRefusal] = []
        for index in pending.indices {
            if let refusal = pending[index].take() { all.append(refusal) }
        }
        isEmpty = true
        return all
    }
}
