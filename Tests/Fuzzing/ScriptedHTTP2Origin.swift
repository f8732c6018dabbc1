import Net
import Simulation

/// As `ScriptedOrigin`, in HTTP/2: its first connection begins with some bytes, and plays a script of frames when the first
/// request has come; every other one is honest.
final class ScriptedHTTP2Origin: SimulatedService {
    let address = FuzzWorld.origin
    private let network: SimulatedNetwork
    private let beginning: [UInt8]
    private var script: PeerScript?

    init(_ script: PeerScript, beginning: [UInt8], network: SimulatedNetwork) {
        self.script = script
        self.beginning = beginning
        self.network = network
    }

    func accept(_ connection: SimulatedConnection) -> any SimulatedPeer {
        defer { script = nil }
        let isHonest = script == nil
        return ScriptedHTTP2Session(
            script.map { ScriptPlayer($0, network: network) },
            beginning: isHonest ? HTTP2DownstreamFuzz.emptySettings : beginning, network: network)
    }
}

final class ScriptedHTTP2Session: SimulatedPeer {
    private let network: SimulatedNetwork
    /// Nil: an honest connection.
    private let player: ScriptPlayer?
    private var preface: [UInt8] = []
    private var requests = NaiveStreams()
    private var answered: Set<Int> = []
    private let beginning: [UInt8]
    private var isGone = false

    init(_ player: ScriptPlayer?, beginning: [UInt8], network: SimulatedNetwork) {
        self.player = player
        self.beginning = beginning
        self.network = network
    }

    func connected(_ connection: SimulatedConnection) {
        if !beginning.isEmpty { connection.write(beginning) }
    }

    func refused(_ connection: SimulatedConnection) {}

    func received(_ connection: SimulatedConnection, _ bytes: [UInt8]) {
        guard !isGone, player?.isGone != true else { return }
        var bytes = bytes
        let wanted = HTTP2DownstreamFuzz.preface
        if preface.count < wanted.count {
            let taken = min(bytes.count, wanted.count - preface.count)
            preface += bytes.prefix(taken)
            bytes.removeFirst(taken)
            guard wanted.starts(with: preface) else { return violate("a preface", connection) }
        }
        requests.feed(bytes)
        if let fault = requests.fault { return violate(fault, connection) }
        for number in requests.order where !answered.contains(number) {
            guard let request = requests.streams[number], request.isEnded || request.value(":protocol") != nil else {
                continue
            }
            if number & 1 == 0 || request.value(":path") == nil { return violate("stream \(number)", connection) }
            answered.insert(number)
            reply(connection, number, request)
        }
    }

    private func violate(_ reason: String, _ connection: SimulatedConnection) {
        network.violate("the gateway sends a malformed request: \(reason)")
        isGone = true
        connection.reset()
    }

    private func reply(_ connection: SimulatedConnection, _ number: Int, _ request: NaiveStreams.Stream) {
        if let player {
            player.play(connection)
            return
        }
        let path = request.value(":path") ?? []
        let isHead = request.text(":method") == "HEAD"
        // `:status: 200` by its index, and a literal that is not indexed.
        let block = [0x88, 0, 8] + Array("x-honest".utf8) + [UInt8(path.count & 0x7F)] + path.prefix(0x7F)
        connection.write(Self.frame(1, isHead ? 5 : 4, number, block))
        if !isHead { connection.write(Self.frame(0, 1, number, path)) }
    }

    private static func frame(_ type: UInt8, _ flags: UInt8, _ stream: Int, _ payload: [UInt8]) -> [UInt8] {
        let count = payload.count
        let head = [UInt8(count >> 16 & 0xFF), UInt8(count >> 8 & 0xFF), UInt8(count & 0xFF), type, flags]
        return head + (0..<4).map { UInt8(stream >> (24 - 8 * $0) & 0xFF) } + payload
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
