import Simulation

/// Plays a script on a connection of an origin's: up to its end, or to the next wait for a request.
final class ScriptPlayer {
    private let network: SimulatedNetwork
    private var steps: ArraySlice<PeerScript.Step>
    private var isPlaying = false
    /// The origin has ended the connection, or does not look at it any more.
    private(set) var isGone = false

    init(_ script: PeerScript, network: SimulatedNetwork) {
        steps = script.steps[...]
        self.network = network
    }

    /// A request has come.
    func play(_ connection: SimulatedConnection) {
        guard !isPlaying else { return }
        isPlaying = true
        step(connection)
    }

    func leave() { isGone = true }

    private func step(_ connection: SimulatedConnection) {
        guard !isGone, let next = steps.popFirst() else { return }
        switch next {
        case .send(let bytes):
            connection.write(bytes)
            step(connection)
        case .pause(let time): network.after(time) { self.step(connection) }
        case .awaitRequest: isPlaying = false
        case .end:
            isGone = true
            connection.close()
        case .reset:
            isGone = true
            connection.reset()
        }
    }
}
