import Containers
import Net
import Simulation

/// A client that plays a script, and keeps everything it gets.
final class ScriptedClient: SimulatedPeer {
    static let address = SocketAddress.ip(.v4(0x0B00_0001), port: 40_000)
    /// It has said all it has to say; longer than any timeout of the gateway.
    private static let patience: Int64 = 400_000_000_000

    private let network: SimulatedNetwork
    private let address: SocketAddress
    private var steps: ArraySlice<PeerScript.Step>
    private(set) var received: [UInt8] = []
    /// The gateway ended the connection in order, behind all it had to say.
    private(set) var sawEnd = false
    private(set) var isDone = false

    init(_ script: PeerScript, address: SocketAddress = ScriptedClient.address, network: SimulatedNetwork) {
        steps = script.steps[...]
        self.address = address
        self.network = network
    }

    func start(after delay: Int64 = 0) {
        network.after(delay) { [self] in
            network.connectClient(self, address: address, to: Simulation.listenerDescriptor)
        }
    }

    func connected(_ connection: SimulatedConnection) {
        network.after(Self.patience) { [self] in if !isDone { leave(connection) } }
        play(connection)
    }

    private func play(_ connection: SimulatedConnection) {
        guard !isDone, let step = steps.popFirst() else { return }
        switch step {
        case .send(let bytes):
            connection.write(bytes)
            network.after(10_000) { self.play(connection) }
        case .pause(let time): network.after(time) { self.play(connection) }
        case .end: connection.end()
        case .reset:
            connection.reset()
            isDone = true
        case .awaitRequest: play(connection)
        }
    }

    private func leave(_ connection: SimulatedConnection) {
        connection.close()
        isDone = true
    }

    func refused(_ connection: SimulatedConnection) { isDone = true }

    func received(_ connection: SimulatedConnection, _ bytes: [UInt8]) { received += bytes }

    func ended(_ connection: SimulatedConnection) {
        sawEnd = true
        leave(connection)
    }

    func wasReset(_ connection: SimulatedConnection) { isDone = true }
}
