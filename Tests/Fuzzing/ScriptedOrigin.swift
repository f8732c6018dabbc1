import Net
import Simulation

/// An origin whose first connection plays a script when the first request has come; on every other connection it is
/// honest and names the path that it was asked for.
final class ScriptedOrigin: SimulatedService {
    let address = FuzzWorld.origin
    fileprivate let network: SimulatedNetwork
    private var script: PeerScript?

    init(_ script: PeerScript, network: SimulatedNetwork) {
        self.script = script
        self.network = network
    }

    func accept(_ connection: SimulatedConnection) -> any SimulatedPeer {
        defer { script = nil }
        return ScriptedOriginSession(script.map { ScriptPlayer($0, network: network) }, network: network)
    }
}

final class ScriptedOriginSession: SimulatedPeer {
    private let network: SimulatedNetwork
    /// Nil: an honest connection.
    private let player: ScriptPlayer?
    private var reader = StrictReader(isResponse: false)
    private var path = ""
    private var method = ""
    private var isTunnel = false
    private var isGone = false

    init(_ player: ScriptPlayer?, network: SimulatedNetwork) {
        self.player = player
        self.network = network
    }

    func connected(_ connection: SimulatedConnection) {}
    func refused(_ connection: SimulatedConnection) {}

    func received(_ connection: SimulatedConnection, _ bytes: [UInt8]) {
        // What follows a handshake may be frames, whatever this origin says.
        guard !isTunnel, !isGone, player?.isGone != true else { return }
        reader.feed(bytes)
        while !isGone, player?.isGone != true, !isTunnel, let event = reader.next(method: "") {
            handle(event, connection)
        }
    }

    private func handle(_ event: StrictReader.Event, _ connection: SimulatedConnection) {
        switch event {
        case .head(let head):
            let words = head.startLine.split(separator: " ")
            method = words.first.map(String.init) ?? ""
            path = words.dropFirst().first.map(String.init) ?? ""
            isTunnel = !head.values("upgrade").isEmpty
            if isTunnel { reply(connection) }
        case .body: break
        case .end: reply(connection)
        case .malformed(let reason):
            network.violate("the gateway sends a malformed request: \(reason)")
            isGone = true
            connection.reset()
        }
    }

    private func reply(_ connection: SimulatedConnection) {
        if let player {
            player.play(connection)
        } else {
            let head = "HTTP/1.1 200 OK\r\nX-Honest: \(path)\r\nContent-Length: \(path.utf8.count)\r\n\r\n"
            connection.write(Array((method == "HEAD" ? head : head + path).utf8))
        }
    }

    func ended(_ connection: SimulatedConnection) {
        leave()
        connection.close()
    }

    func wasReset(_ connection: SimulatedConnection) { leave() }

    private func leave() {
        isGone = true
        player?.leave()
    }
}
