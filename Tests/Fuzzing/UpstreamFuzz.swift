import Net
import Simulation

/// What an origin says on a connection: `[settings][seed][script]`; see `PeerScript`. Two clients ask, the second one is
/// the victim.
///
/// What clients get reads under a strict reader; where that reader can read the origin's own bytes, status and content
/// are those; bytes that nobody asked for reach nobody.
enum UpstreamFuzz {
    private static let victimAddress = SocketAddress.ip(.v4(0x0B00_0002), port: 40_001)
    private static let handshake =
        "GET /one HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"

    private struct Request {
        let method: String
        let path: String
        let bytes: [UInt8]

        init(_ method: String, _ path: String, _ text: String? = nil) {
            self.method = method
            self.path = path
            bytes = Array((text ?? "\(method) \(path) HTTP/1.1\r\nHost: a.test\r\n\r\n").utf8)
        }
    }

    private static func requests(_ choice: UInt8) -> [Request] {
        let first: Request =
            switch choice & 3 {
            case 0: Request("GET", "/one")
            case 1: Request("HEAD", "/one")
            case 2:
                Request(
                    "POST", "/one",
                    "POST /one HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
            default: Request("GET", "/one", handshake)
            }
        return [first, Request("GET", "/two")]
    }

    static func run(_ input: [UInt8]) throws(FuzzViolation) {
        var parts = FuzzInput(input)
        let flags = parts.byte()
        var settings = FuzzWorld.Settings(seed: UInt64(parts.byte()))
        settings.hasFaults = flags & 4 != 0
        let script = PeerScript(parts.rest(), isBytewise: flags & 8 != 0)
        let requests = requests(flags)
        let isHandshake = flags & 3 == 3
        var world = try FuzzWorld(settings)
        world.network.add(ScriptedOrigin(script, network: world.network))
        let pause: [UInt8] = [PeerScript.mark, UInt8(ascii: "c")]
        let client = ScriptedClient(
            PeerScript(Array(requests.map(\.bytes).joined(separator: pause))), network: world.network)
        let victimRequest = Request("GET", "/victim")
        let victim = ScriptedClient(
            PeerScript(victimRequest.bytes), address: victimAddress, network: world.network)
        client.start()
        victim.start(after: 3_000_000_000)
        try world.run { client.isDone && victim.isDone }
        // What arrives at once with an answer was not asked for by anybody else.
        let isAlone = script.isOnePiece && !settings.hasFaults && script.bytes.count <= 900
        let answers = try check(client, requests, isScripted: true, isAlone: isAlone, maySwitch: isHandshake)
        _ = try check(victim, [victimRequest], isScripted: !isAlone, isAlone: isAlone, maySwitch: false)
        if let first = answers.first, !first.isLocal { try compare(first, script, requests[0].method) }
    }

    /// The final answers that a client got.
    private static func check(
        _ client: ScriptedClient, _ requests: [Request], isScripted: Bool, isAlone: Bool, maySwitch: Bool
    ) throws(FuzzViolation) -> [ReadAnswer] {
        let all = try ReadAnswer.read(client.received, endsInOrder: client.sawEnd) { number, _ in
            number < requests.count ? requests[number].method : "GET"
        }
        let answers = all.filter { $0.status >= 200 }
        try require(maySwitch || all.allSatisfy { $0.status != 101 }, "a switch that nobody asked for")
        try require(answers.count <= requests.count, "\(answers.count) answers to \(requests.count) requests")
        for (index, answer) in answers.enumerated() {
            if let path = answer.head.values("x-honest").first, !isScripted || index > 0 {
                try require(path == requests[index].path, "\(path) answers \(requests[index].path)")
            } else if isAlone, !isScripted || index > 0 {
                try require(answer.isLocal, "what nobody asked for answers \(requests[index].path)")
            }
        }
        return answers
    }

    /// The final answer in the script's bytes, under the strict reader.
    private static func compare(_ ours: ReadAnswer, _ script: PeerScript, _ method: String) throws(FuzzViolation) {
        let pauses = script.steps.filter { if case .pause = $0 { true } else { false } }.count
        guard !script.steps.contains(.reset), !script.steps.contains(.awaitRequest), pauses <= 5 else { return }
        var reader = StrictReader(isResponse: true)
        reader.feed(script.bytes)
        var status = 0
        var body: [UInt8] = []
        var isComplete = false
        while !isComplete, let event = reader.next(method: method) {
            switch event {
            case .head(let head): status = (try? StrictReader.status(head.startLine)) ?? 0
            case .body(let bytes): body += bytes
            case .end: isComplete = status >= 200
            case .malformed: return
            }
            if status == 101 { return }
        }
        guard status >= 200 else { return }
        try require(ours.status == status, "status \(ours.status) of an answer with \(status)")
        if isComplete {
            try require(!ours.isComplete || ours.body == body, "the body is \(shown(ours.body)), not \(shown(body))")
        } else if reader.isUntilEnd {
            try require(body.starts(with: ours.body), "the body is \(shown(ours.body)), not \(shown(body))")
        } else {
            try require(!ours.isComplete, "an incomplete answer is complete for the client: \(shown(ours.body))")
        }
    }
}
