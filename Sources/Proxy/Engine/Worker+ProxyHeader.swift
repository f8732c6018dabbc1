import Telemetry
import Containers
import EventLoop
import HTTP1
import Net

/// Connections that begin with a PROXY header.
extension Worker where Driver: ~Copyable {
    mutating func receiveProxyHeader(_ key: SlabKey, _ buffer: consuming Buffer) {
        switch ProxyHeader.parse(buffer.span) {
        case .needMoreBytes:
            driver.unread(downstreams[key].socket, buffer)
        case .invalid:
            // Not HTTP yet: nobody to answer. The peer was configured to send a header and did not.
            driver.buffers.give(buffer)
            counters.invalidProxyHeaders &+= 1
            refusals.note(.noProxyHeader, downstreams[key].listener, downstreams[key].client)
            closeDownstream(key)
        case .header(let count, let client, let port, let localPort):
            if let client {
                downstreams[key].client = client
                downstreams[key].clientPort = port
                downstreams[key].localPort = localPort
                downstreams[key].clientText = AddressText(client)
                downstreams[key].isTrusted = currentSnapshot?.isTrusted(client) ?? false
            }
            let client = downstreams[key].client
            let counts = downstreams[key].listener.connections
            let isCounted = !client.isUnspecified && !downstreams[key].isTrusted
            guard !isCounted || counts.admit(client, limit: downstreams[key].listener.connectionsPerClient)
            else {
                driver.buffers.give(buffer)
                counters.refusedConnections &+= 1
                counters.refusals[ConnectionRefusal.Reason.clientLimit.rawValue] &+= 1
                refusals.note(.clientLimit, downstreams[key].listener, client)
                closeDownstream(key)
                return
            }
            downstreams[key].isCountedForClient = isCounted
            buffer.dropFirst(count)
            if downstreams[key].listener.tls != nil {
                // The beginning of the handshake.
                driver.unread(downstreams[key].socket, buffer)
                beginSession(key)
                return
            }
            beginSession(key)
            if buffer.isEmpty { driver.buffers.give(buffer) } else { onDownstreamData(Owner.downstream(key), buffer) }
        }
    }
}
