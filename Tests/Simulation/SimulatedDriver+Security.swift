import Containers
package import EventLoop
package import TLS

/// TLS between a simulated socket and the worker, as the epoll driver has it.
extension SimulatedDriver {
    package mutating func secure(_ socket: SocketID, _ stream: consuming TLSStream) {
        guard slots.contains(socket), slots[socket].failure == nil else { return }
        let connection = slots[socket]
        if connection.security != nil { network.violate("TLS twice on connection \(connection.number)") }
        if !connection.output.isEmpty || connection.isEndWanted { network.violate("TLS behind bytes without") }
        network.note { "TLS on \(connection.number)" }
        let security = SimulatedTLS(stream, connection.link)
        security.input = connection.partial
        connection.partial = []
        connection.security = security
        if security.input.isEmpty, !security.isServer {
            security.sayHello()
            sendFlights(connection, security)
        }
    }

    package mutating func security(_ socket: SocketID) -> SecurityFacts? {
        guard slots.contains(socket), let security = slots[socket].security, security.isOpen else { return nil }
        return security.facts
    }

    package mutating func takeSession(_ socket: SocketID) -> TLSSession? {
        slots.contains(socket) ? slots[socket].security?.takeSession() : nil
    }

    // MARK: Receiving

    /// A visit of a secure connection: one event, if there is any.
    mutating func readSealed(_ id: SocketID, _ connection: SimulatedConnection, _ security: SimulatedTLS) -> IOEvent? {
        if !connection.hasUnsealed, let event = unseal(id, connection, security) { return event }
        defer { if slots.contains(id) { comeAgain(id, connection) } }
        if security.isOpen, !connection.isSecuredReported {
            connection.isSecuredReported = true
            network.note { "secured \(connection.number)" }
            return .secured(id)
        }
        if security.content.count > 0 { return content(id, connection, security) }
        if let failure = security.failure {
            connection.isSecurityBroken = true
            network.note { "TLS of \(connection.number) failed: \(failure.text)" }
            return .failed(id, connection.isSecuredReported ? .tls(failure) : .handshake(failure))
        }
        if security.sawEnd || connection.isTransportOver {
            if !security.sawEnd, !(security.isOpen && security.isServer) {
                connection.isSecurityBroken = true
                network.note { "TLS of \(connection.number) is truncated" }
                return .failed(id, .truncated)
            }
            connection.isEndReported = true
            network.note { "end of stream \(connection.number)" }
            return .endOfStream(id)
        }
        return nil
    }

    /// Takes bytes off the wire. An event: they are not TLS.
    private mutating func unseal(
        _ id: SocketID, _ connection: SimulatedConnection, _ security: SimulatedTLS
    ) -> IOEvent? {
        var bytes = security.input
        security.input = []
        if bytes.isEmpty {
            let room = connection.readsBulk ? 8 * BufferPool.messageBytes : BufferPool.messageBytes
            bytes = connection.takeArrived(room)
            connection.readsBulk = bytes.count == room
            connection.lastReadTurn = turn
            connection.isReadable = false
        }
        guard let first = bytes.first else { return nil }
        if security.isUntouched, security.isServer, first != 22 {
            network.note { "\(connection.number) does not speak TLS" }
            connection.security = nil
            var buffer = buffers.take(atLeast: bytes.count)
            buffer.append(bytes)
            comeAgain(id, connection)
            return .data(id, buffer)
        }
        network.note { "sealed \(connection.number): \(bytes.count)" }
        security.take(bytes)
        sendFlights(connection, security)
        return nil
    }

    private mutating func content(
        _ id: SocketID, _ connection: SimulatedConnection, _ security: SimulatedTLS
    ) -> IOEvent {
        let partial = connection.partial
        connection.partial = []
        let isBulk = security.content.count > BufferPool.messageBytes
        let size = isBulk ? 7 * BufferPool.messageBytes : BufferPool.messageBytes
        var buffer = buffers.take(atLeast: max(size, 2 * partial.count))
        buffer.append(partial)
        let bytes = security.content.take(buffer.tailroom - BufferPool.tailroom)
        buffer.append(bytes)
        network.note { "content \(connection.number): \(partial.count) + \(bytes.count)" }
        return .data(id, buffer)
    }

    // MARK: Sending

    private func sendFlights(_ connection: SimulatedConnection, _ security: SimulatedTLS) {
        let bytes = security.takeOutput()
        guard !bytes.isEmpty, connection.failure == nil else { return }
        connection.output.append(bytes)
        if !connection.isBlocked { connection.flush() }
    }

    /// The bytes for the wire of what the worker sends; nil: nothing can be sent.
    func seal(_ bytes: [UInt8], for connection: SimulatedConnection) -> [UInt8]? {
        guard let security = connection.security else { return bytes }
        if connection.isSecurityBroken { return nil }
        if !connection.isSecuredReported { network.violate("a send before the handshake was done") }
        if security.saidEnd { network.violate("content behind its end") }
        return security.seal(bytes)
    }

    /// Our end, behind all content.
    func sealEnd(_ connection: SimulatedConnection) {
        guard let security = connection.security, security.isOpen, !security.saidEnd, !connection.isSecurityBroken,
            connection.failure == nil
        else { return }
        connection.output.append(security.closeNotify())
        if !connection.isBlocked { connection.flush() }
    }

    /// Before a close: if the kernel takes it at once.
    func sayGoodbye(_ connection: SimulatedConnection) {
        if !connection.isBlocked { sealEnd(connection) }
    }
}
