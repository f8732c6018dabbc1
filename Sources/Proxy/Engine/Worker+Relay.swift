import Containers
import EventLoop
import HTTP

/// Long content whose length is known on both sides goes from socket to socket inside the driver. The engine keeps its books
/// by what the driver tells: counts, timers and back-pressure are the same as for content that passes through its hands.
extension Worker where Driver: ~Copyable {
    mutating func onRelayed(_ socket: SocketID, _ count: Int, isFollowed: Bool) {
        if let key = sessionKey(socket) {
            responseRelayed(key, count, isFollowed: isFollowed)
        } else if let key = downstreamKey(socket) {
            requestRelayed(key, count)
        }
    }

    // MARK: Responses

    /// Has the driver move the rest of the response, if that is worth it.
    mutating func relayResponse(_ exchange: SlabKey, _ key: SlabKey) {
        guard !exchanges[exchange].isResponseRelayed, exchanges[exchange].responseRest >= context.relayedLength,
            case .length = exchanges[exchange].responseFraming,
            case .length = exchanges[exchange].downstreamFraming
        else { return }
        exchanges[exchange].isResponseRelayed = driver.relay(
            from: sessions[key].socket, to: downstreams[exchanges[exchange].downstream].socket,
            count: exchanges[exchange].responseRest)
    }

    private mutating func responseRelayed(_ key: SlabKey, _ count: Int, isFollowed: Bool) {
        let exchange = sessions[key].exchange
        guard exchanges.contains(exchange), exchanges[exchange].phase == .receiving,
            count <= exchanges[exchange].responseRest
        else {
            closeSession(key)
            return
        }
        exchanges[exchange].responseRest &-= count
        exchanges[exchange].responseContentBytes &+= count
        exchanges[exchange].sentBytes &+= count
        if exchanges[exchange].responseRest == 0 { exchanges[exchange].isResponseComplete = true }
        // What stands behind the answer must not be taken for the next one (RFC 9112 section 9.2).
        if isFollowed { exchanges[exchange].keepsSession = false }
        afterContent(exchange, key)
    }

    // MARK: Requests

    /// Has the driver move the rest of the request, if that is worth it and nothing of it is here.
    mutating func relayRequest(_ exchange: SlabKey, _ downstream: SlabKey, _ session: SlabKey) {
        guard !exchanges[exchange].isRequestRelayed, exchanges[exchange].requestRest >= context.relayedLength,
            case .length = exchanges[exchange].requestFraming, downstreams[downstream].pending == nil
        else { return }
        exchanges[exchange].isRequestRelayed = driver.relay(
            from: downstreams[downstream].socket, to: sessions[session].socket,
            count: exchanges[exchange].requestRest)
    }

    private mutating func requestRelayed(_ downstream: SlabKey, _ count: Int) {
        let exchange = downstreams[downstream].exchange
        guard exchanges.contains(exchange), sessions.contains(exchanges[exchange].session),
            count <= exchanges[exchange].requestRest
        else {
            closeDownstream(downstream)
            return
        }
        exchanges[exchange].requestRest &-= count
        exchanges[exchange].requestContentBytes &+= count
        if exchanges[exchange].requestRest == 0 { exchanges[exchange].isRequestComplete = true }
        afterRequestContent(exchange, downstream, exchanges[exchange].session)
    }
}
