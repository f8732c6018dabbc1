package import Containers
package import EventLoop
import Glibc

/// Bytes that the gateway sends.
extension SimulatedDriver {
    /// Sends of a turn that wait for its end, at most.
    private static let batchCapacity = 64

    package mutating func send(_ socket: SocketID, _ buffer: consuming Buffer, more: Bool) {
        settle(socket)
        guard let bytes = take(buffer, for: socket) else { return }
        network.note { "send \(slots[socket].number): \(bytes.count)\(more ? " and more" : "")" }
        put(bytes, on: slots[socket], more: more)
    }

    /// Waits for the end of the turn, unless something stands before it.
    package mutating func sendInTurn(_ socket: SocketID, _ buffer: consuming Buffer) {
        guard slots.contains(socket), !slots[socket].isBatched, slots[socket].output.isEmpty,
            slots[socket].security == nil
        else {
            send(socket, buffer, more: false)
            return
        }
        guard let bytes = take(buffer, for: socket) else { return }
        network.note { "send \(slots[socket].number) in turn: \(bytes.count)" }
        slots[socket].isBatched = true
        batch.append((socket, bytes))
        if batch.count == Self.batchCapacity { sendBatch() }
    }

    /// Sends what waits. The order among sockets means nothing, and is not that in which they came.
    mutating func sendBatch() {
        while let (socket, bytes) = batch.popLast() {
            slots[socket].isBatched = false
            network.note { "sends what waited on \(slots[socket].number)" }
            put(bytes, on: slots[socket], more: false)
        }
    }

    /// What was sent before on this socket is with the kernel, or queued, from here on.
    mutating func settle(_ socket: SocketID) {
        if slots.contains(socket), slots[socket].isBatched { sendBatch() }
    }

    /// The bytes that are to be sent; nil when there are none, or nothing can be sent any more.
    private mutating func take(_ buffer: consuming Buffer, for socket: SocketID) -> [UInt8]? {
        var bytes = unsafe buffer.withReadable { unsafe Array(UnsafeRawBufferPointer(start: $0, count: $1)) }
        giveBack(buffer)
        guard slots.contains(socket), !bytes.isEmpty else { return nil }
        let connection = slots[socket]
        sends += 1
        if mutation == .losesByte, sends % 11 == 0 { bytes.removeLast() }
        checkReuse(connection, bytes)
        guard connection.failure == nil else { return nil }
        if case .reported = connection.connectState {} else { network.violate("a send before the connection stood") }
        if connection.isEndWanted { network.violate("a send after shutdownWrite") }
        return seal(bytes, for: connection)
    }

    private func put(_ bytes: [UInt8], on connection: SimulatedConnection, more: Bool) {
        guard connection.failure == nil else { return }
        connection.output.append(bytes)
        connection.awaitsMore = more
        if !more, !connection.isBlocked { connection.flush() }
    }

    package mutating func send(_ socket: SocketID, copyOf buffer: borrowing Buffer) {
        var copy = buffers.take(atLeast: max(1, buffer.count))
        copy.append(buffer)
        send(socket, copy, more: false)
    }

    /// A request must not go out on a connection whose end this turn's wait has shown.
    private func checkReuse(_ connection: SimulatedConnection, _ bytes: [UInt8]) {
        guard !connection.isDownstream,
            connection.isReadable || connection.isEndReported || connection.isFailureReported,
            connection.towardsGateway.hasEndArrived || connection.failure != nil
        else { return }
        // Behind the method: a letter for the kind and a nonce.
        for start in 3..<8 where start + 5 <= bytes.count {
            guard bytes[start] == 0x20, bytes[start + 1] == 0x2F, bytes[start + 3] == 0x2F, bytes[start + 4] == 0x6E
            else { continue }
            network.violate("a request on connection \(connection.number), whose end was visible")
        }
    }

    /// A buffer that went back to the pool must not be read again: its bytes become garbage.
    mutating func giveBack(_ buffer: consuming Buffer) {
        buffer.clear()
        _ = unsafe buffer.fill { (memory, room) -> Int in
            unsafe memset(memory, 0xDB, room)
            return 0
        }
        buffers.give(buffer)
    }

    package mutating func flush(_ socket: SocketID) {
        guard slots.contains(socket) else { return }
        let connection = slots[socket]
        connection.awaitsMore = false
        if connection.failure == nil, !connection.isBlocked { connection.flush() }
    }
}
