package import Containers
package import EventLoop
import Glibc
package import Net

/// What the gateway asks of its driver.
extension SimulatedDriver {
    package mutating func listen(_ descriptor: Int32, listener: UInt32) {
        if network.listeners[descriptor] == nil { network.violate("listen on unknown descriptor \(descriptor)") }
        listening.append(Listening(descriptor: descriptor, number: listener))
        network.listens(descriptor)
    }

    package mutating func stopListening(_ listener: UInt32) {
        for index in listening.indices where listening[index].number == listener && !listening[index].isStopped {
            listening[index].isStopped = true
            network.stopsListening(listening[index].descriptor)
        }
    }

    package mutating func slowAccepting() {
        for index in listening.indices { listening[index].pausedUntil = now.advanced(by: 100_000_000) }
    }

    package var acceptPauses: Int { 0 }

    /// What is on the wire and what the peer's kernel has no room for is not acknowledged.
    package func undeliveredBytes(_ socket: SocketID) -> Int {
        slots.contains(socket) ? slots[socket].output.count + slots[socket].towardsPeer.inFlight : 0
    }

    package mutating func connect(to address: SocketAddress) throws(IOFailure) -> SocketID {
        let connection: SimulatedConnection
        do throws(IOFailureCause) {
            connection = try network.connectUpstream(to: address)
        } catch {
            switch error {
            case .exhausted: throw .exhausted
            case .noBuffers: throw .other(ENOBUFS)
            case .unreachable: throw .unreachable
            }
        }
        guard let id = slots.insert(connection) else { throw .exhausted }
        network.upstreamOpen += 1
        network.upstreamOpenMax = max(network.upstreamOpenMax, network.upstreamOpen)
        return id
    }

    package func queuedBytes(_ socket: SocketID) -> Int { slots.contains(socket) ? slots[socket].output.count : 0 }

    /// They are joined here.
    package func queuedBuffers(_ socket: SocketID) -> Int { min(1, queuedBytes(socket)) }

    package mutating func unread(_ socket: SocketID, _ buffer: consuming Buffer) {
        let bytes = unsafe buffer.withReadable { unsafe Array(UnsafeRawBufferPointer(start: $0, count: $1)) }
        giveBack(buffer)
        guard slots.contains(socket) else { return }
        if !slots[socket].partial.isEmpty { network.violate("unread twice") }
        slots[socket].partial = bytes
    }

    package mutating func pause(_ socket: SocketID) {
        if slots.contains(socket), mutation != .ignoresPause { slots[socket].isPaused = true }
    }

    package mutating func resume(_ socket: SocketID) {
        if slots.contains(socket) { slots[socket].isPaused = false }
    }

    package mutating func shutdownWrite(_ socket: SocketID) {
        guard slots.contains(socket) else { return }
        settle(socket)
        network.note { "shutdownWrite \(slots[socket].number)" }
        sealEnd(slots[socket])
        slots[socket].shutdownByGateway()
    }

    package mutating func close(_ socket: SocketID) { remove(socket, isAbort: false) }

    package mutating func abort(_ socket: SocketID) { remove(socket, isAbort: mutation != .closesInPlaceOfAbort) }

    private mutating func remove(_ socket: SocketID, isAbort: Bool) {
        settle(socket)
        if !isAbort, slots.contains(socket) { sayGoodbye(slots[socket]) }
        guard let connection = slots.remove(socket) else { return }
        network.note { "\(isAbort ? "abort" : "close") \(connection.number)" }
        // A connect that hung until now was in the way of whoever waited for it.
        if case .pending = connection.connectState { network.extendExcuse() }
        connection.closeByGateway(isAbort: isAbort)
        if !connection.isDownstream { network.upstreamOpen -= 1 }
    }

    package mutating func isQuiet(_ socket: SocketID, peek: Bool) -> Bool {
        guard slots.contains(socket) else { return false }
        if mutation == .neverAsksQuiet { return true }
        let connection = slots[socket]
        if connection.failure != nil && connection.isFailureReported || connection.isEndReported
            || connection.isReadable || connection.isSecurityBroken
        {
            return false
        }
        let closesNow = !connection.isDownstream && network.happens(.closeAfterQuiet)
        // Sometimes the close is there before the kernel is asked, sometimes right after.
        let isEarly = closesNow && network.random.below(2) == 0
        if isEarly { connection.closeJustNow() }
        if peek || connection.lastReadTurn == turn, hasInput(connection) || connection.failure != nil { return false }
        if closesNow, !isEarly { connection.closeJustNow() }
        return true
    }

    package mutating func adopt(_ descriptor: Int32) -> SocketID? {
        guard let connection = network.takeOver(descriptor) else {
            network.violate("takes over what nobody handed over")
            return nil
        }
        guard let id = slots.insert(connection) else {
            connection.closeByGateway(isAbort: false)
            return nil
        }
        network.note { "took over connection \(connection.number)" }
        return id
    }

    package mutating func release(_ socket: SocketID) -> Int32? {
        settle(socket)
        guard let connection = slots.remove(socket) else { return nil }
        if connection.lastReadTurn >= 0 || connection.security != nil {
            network.violate("hands a connection over that was read")
        }
        network.note { "hands connection \(connection.number) over" }
        return network.handOver(connection)
    }

    package mutating func setOwner(_ socket: SocketID, _ owner: UInt64) {
        if slots.contains(socket) { slots[socket].owner = owner }
    }

    package func owner(_ socket: SocketID) -> UInt64 { slots.contains(socket) ? slots[socket].owner : 0 }

    package func peer(_ socket: SocketID) -> SocketAddress {
        slots.contains(socket) ? slots[socket].address : .unix(path: "")
    }
}
