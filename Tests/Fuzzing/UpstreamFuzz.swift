import Net
import Simulation

/// What an origin says on a connection: `[settings][seed][script]`; see `PeerScript`. Two clients ask, the second one is
/// the victim. In HTTP/2 the script's bytes are frames, and SETTINGS are sent before, unless the settings say otherwise.
///
/// What clients get reads under a strict reader; where that reader can read the origin's own bytes, status and content
/// are those; bytes that nobody asked for reach nobody.
enum UpstreamFuzz {
    private static let victimAddress = SocketAddress.ip(.v4(0x0B00_0002), port: 40_001)
    private static let handshake =
        "GET /one HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"

    /// SETTINGS that allow WebSockets (RFC 8441 section 3).
    private static let connectSettings: [UInt8] = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 1]

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

    static func run(_ input: [UInt8], inHTTP2: Bool = false) throws(FuzzViolation) {
        var parts = FuzzInput(input)
        let flags = parts.byte()
        var settings = FuzzWorld.Settings(seed: UInt64(parts.byte()))
        settings.originSpeaksHTTP2 = inHTTP2
        settings.hasFaults = flags & 4 != 0
        let beginning = inHTTP2 && flags & 16 == 0 ? connectSettings : []
        let script = PeerScript(parts.rest(), isBytewise: flags & 8 != 0)
        let requests = requests(flags)
        let isHandshake = flags & 3 == 3
        var world = try FuzzWorld(settings)
        if inHTTP2 {
            world.network.add(ScriptedHTTP2Origin(script, beginning: beginning, network: world.network))
        } else {
            world.network.add(ScriptedOrigin(script, network: world.network))
        }
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
        // A WebSocket waits for SETTINGS: without them the script may answer somebody else.
        let isAsked = !inHTTP2 || !isHandshake || !beginning.isEmpty
        let isAlone = script.isOnePiece && !settings.hasFaults && script.bytes.count <= 900 && isAsked
        let answers = try check(client, requests, isScripted: true, isAlone: isAlone, maySwitch: isHandshake)
        _ = try check(victim, [victimRequest], isScripted: !isAlone, isAlone: isAlone, maySwitch: false)
        guard let first = answers.first, !first.isLocal else { return }
        if inHTTP2 {
            if first.head.values("x-honest").isEmpty { try compareFrames(first, script, requests[0].method) }
        } else {
            try compare(first, script, requests[0].method)
        }
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

    /// The same of a script of frames: what it says on the first stream. Whatever breaks a rule can only cut it.
    private static func compareFrames(_ ours: ReadAnswer, _ script: PeerScript, _ method: String) throws(FuzzViolation)
    {
        var frames = NaiveStreams()
        frames.feed(script.bytes)
        guard let stream = frames.streams[1], let place = stream.finalBlock else {
            throw FuzzViolation("an answer that nobody gave: \(ours.head.startLine)")
        }
        let status = stream.text(":status", in: place)
        let isSwitch = ours.status == 101 && status == "200"
        try require(isSwitch || status == "\(ours.status)", "status \(ours.status) of an answer with \(status ?? "")")
        if ours.status == 101 { return }
        // RFC 9110 section 6.4.1: these end with their heads.
        let isBare = method == "HEAD" || [204, 205, 304].contains(ours.status)
        let content = isBare ? [] : stream.content
        if ours.isComplete, !isBare {
            let isWhole = stream.isEnded && ours.body == content
            try require(isWhole, "the body is \(shown(ours.body)), not \(shown(content))")
        } else {
            let all = isBare ? [] : content + frames.begunContent(1)
            try require(all.starts(with: ours.body), "the body is \(shown(ours.body)), not \(shown(content))")
        }
    }
}
