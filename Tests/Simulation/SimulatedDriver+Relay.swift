import Containers
package import EventLoop

/// Bytes that go from one simulated socket to another.
extension SimulatedDriver {
    /// What a relay moves in one event, at most.
    private static let relayedAtOnce = 131_072

    package mutating func relay(from source: SocketID, to destination: SocketID, count: Int) -> Bool {
        guard slots.contains(source), slots.contains(destination) else { return false }
        let connection = slots[source]
        if count <= 0 { network.violate("a relay of \(count) bytes") }
        if connection.relayRest > 0 { network.violate("a relay of a socket that has one") }
        // Not every driver can with every socket.
        if connection.security != nil || slots[destination].security != nil { return false }
        if connection.number % 4 == 3 || !connection.partial.isEmpty { return false }
        settle(destination)
        network.note { "relay \(connection.number) to \(slots[destination].number): \(count)" }
        connection.relayDestination = destination
        connection.relayRest = count
        return true
    }

    /// Moves some of what has arrived; nil when there is nobody to move it to.
    mutating func relayed(_ id: SocketID, _ connection: SimulatedConnection) -> IOEvent? {
        guard slots.contains(connection.relayDestination) else {
            connection.relayRest = 0
            return nil
        }
        let destination = slots[connection.relayDestination]
        if destination.isEndWanted { network.violate("a relay to a socket after shutdownWrite") }
        let extra = mutation == .relaysTooMuch ? 1 : 0
        let limit = min(connection.relayRest + extra, Self.relayedAtOnce)
        let bytes = connection.takeArrived(limit)
        let count = min(bytes.count, connection.relayRest)
        if mutation != .forgetsRelay { connection.relayRest -= count }
        connection.lastReadTurn = turn
        connection.isReadable = false
        network.relays += 1
        network.note { "relayed \(connection.number) to \(destination.number): \(bytes.count)" }
        if destination.failure == nil {
            destination.output.append(bytes)
            if !destination.isBlocked, !destination.awaitsMore { destination.flush() }
        }
        comeAgain(id, connection)
        return .relayed(id, count, isFollowed: connection.relayRest == 0 && hasInput(connection))
    }
}
