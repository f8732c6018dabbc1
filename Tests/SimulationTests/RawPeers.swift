import Net
import Simulation

/// Sends a body, ends, and wants the same bytes back.
final class RawClient: SimulatedPeer {
    private let network: SimulatedNetwork
    private let payload: [UInt8]
    private var received = 0
    private(set) var outcome = "nothing"

    init(number: Int, tiles: Int, network: SimulatedNetwork) {
        self.network = network
        let nonce = String(("raw\(number)" + String(repeating: "x", count: 16)).prefix(16))
        payload = Payload.bytes(nonce, .request, count: 32 * tiles)
    }

    func connected(_ connection: SimulatedConnection) {
        if network.happens(.clientSlowReader) { connection.pace = .slowly(bytes: 3_000, every: 1_000_000) }
        connection.write(payload)
        connection.end()
        outcome = "sent"
    }

    func refused(_ connection: SimulatedConnection) { outcome = "refused" }

    func received(_ connection: SimulatedConnection, _ bytes: [UInt8]) {
        if !Payload.stands(bytes, at: received, in: payload) { network.violate("wrong bytes came back") }
        received += bytes.count
    }

    func ended(_ connection: SimulatedConnection) {
        if received != payload.count { network.violate("\(received) bytes of \(payload.count) came back") }
        outcome = "whole"
        connection.close()
    }

    func wasReset(_ connection: SimulatedConnection) { outcome = "reset" }
}

/// Sends back what it gets.
final class RawOrigin: SimulatedService, SimulatedPeer {
    let address: SocketAddress
    private let network: SimulatedNetwork

    init(address: SocketAddress, network: SimulatedNetwork) {
        self.address = address
        self.network = network
    }

    func accept(_ connection: SimulatedConnection) -> any SimulatedPeer { self }

    func connected(_ connection: SimulatedConnection) {
        if network.happens(.originSlowReader) { connection.pace = .slowly(bytes: 3_000, every: 1_000_000) }
    }

    func refused(_ connection: SimulatedConnection) {}

    func received(_ connection: SimulatedConnection, _ bytes: [UInt8]) { connection.write(bytes) }

    func ended(_ connection: SimulatedConnection) { connection.end() }

    func wasReset(_ connection: SimulatedConnection) {}
}
