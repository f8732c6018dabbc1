import Simulation

/// A client's whole connection: `[settings][seed][script]`; see `PeerScript`.
///
/// Whatever reaches an origin reads under a strict reader; where that reader can read the client's own bytes, it is what
/// the client sent and nothing else; every answer belongs to a request, in order, and is whole.
enum DownstreamFuzz {
    static func run(_ input: [UInt8]) throws(FuzzViolation) {
        var parts = FuzzInput(input)
        let flags = parts.byte()
        var settings = FuzzWorld.Settings(seed: UInt64(parts.byte()))
        settings.hasFaults = flags & 1 != 0
        settings.sendsProxyHeader = flags & 2 != 0
        settings.isTrusted = flags & 4 != 0
        settings.isTight = flags & 8 != 0
        settings.rejectsEncodedSlash = flags & 16 != 0
        let script = PeerScript(parts.rest(), isBytewise: flags & 32 != 0)
        var world = try FuzzWorld(settings)
        let origin = RecordingOrigin(network: world.network, switches: flags & 64 == 0)
        world.network.add(origin)
        let client = ScriptedClient(script, network: world.network)
        client.start()
        try world.run { client.isDone }
        for request in origin.requests { try check(request, settings) }
        try checkAnswers(client, origin)
        if !settings.sendsProxyHeader { try compare(script.bytes, with: origin.requests, settings) }
    }

    /// The forwarding normal form.
    static func check(_ request: RecordingOrigin.Request, _ settings: FuzzWorld.Settings) throws(FuzzViolation) {
        let words = request.words
        try require(words.count == 3 && words[2] == "HTTP/1.1", "the request line is \(request.head.startLine)")
        let target = Array(words[1].utf8)
        let path = Array(target.prefix { $0 != 0x3F })
        try require(
            path == [0x2A] || NaivePath.canonical(path, settings.pathRules) == path, "the path is \(shown(path))")
        let head = request.head
        for name in ["host", "x-request-id", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port"] {
            let count = head.values(name).count
            try require(count == 1 || settings.isTrusted || count == 0 && name != "host", "\(count) times \(name)")
        }
        try require(head.fields.first?.name == "host", "Host is not the first field")
        try require(head.values("x-request-id").count == 1, "\(head.values("x-request-id").count) request ids")
        let via = head.values("via").last ?? ""
        let versions = settings.clientsSpeakHTTP2 ? ["1.0", "1.1", "2.0"] : ["1.0", "1.1"]
        try require(versions.contains { via == "\($0) martlet" }, "Via is \(head.values("via"))")
        for name in ["proxy", "keep-alive", "proxy-connection", "trailer", "proxy-authorization"] {
            try require(head.values(name).isEmpty, "\(name) is passed on")
        }
        if settings.isTrusted || settings.sendsProxyHeader { return }
        for name in ["x-forwarded-for", "x-real-ip"] {
            try require(head.values(name) == ["11.0.0.1"], "\(name): \(head.values(name))")
        }
        let spellings = head.fields.map { $0.name.replacing("_", with: "-") }
        for name in ["forwarded", "x-forwarded-prefix", "true-client-ip", "x-client-ip", "x-original-url"] {
            try require(!spellings.contains(name), "an untrusted client's \(name) is passed on")
        }
        if !request.tunnelled.isEmpty {
            let frames = NaiveFrames(request.tunnelled, isMasked: true, limit: .max, allowsCompression: true)
            // A connection may end anywhere; what came of it must be frames.
            try require(frames.facts.failure == nil, "frames with \(frames.facts) reach the origin")
        }
    }

    private static func checkAnswers(_ client: ScriptedClient, _ origin: RecordingOrigin) throws(FuzzViolation) {
        let answers = try ReadAnswer.read(client.received, endsInOrder: client.sawEnd) { _, head in
            head.values("x-answers").isEmpty ? nil : head.values("x-method").first
        }
        if client.sawEnd, let last = answers.last {
            // Nothing goes wrong with this origin's answers.
            try require(last.isComplete || last.status == 101, "a cut answer: \(shown(client.received))")
        }
        var last = -1
        var isRefused = false
        for answer in answers where answer.status >= 200 {
            // RFC 9112 section 2.2: behind what is no valid request nothing is one.
            try require(!isRefused, "an answer behind a refused request: \(answer.head.startLine)")
            let errors = answer.head.values("proxy-status")
            isRefused = answer.isLocal && errors.contains { $0.contains("http_request_error") }
            guard let number = answer.head.values("x-answers").first.flatMap({ Int($0) }) else {
                // `OPTIONS` that may go no further is answered with what the gateway serves.
                let isOwn = answer.isLocal ? answer.status >= 400 : !answer.head.values("allow").isEmpty
                try require(isOwn, "an answer of nobody: \(answer.head.startLine)")
                continue
            }
            try require(number > last && number < origin.requests.count, "answer \(number) behind \(last)")
            last = number
            if origin.requests[number].words.first != "HEAD", answer.isComplete {
                try require(answer.body == RecordingOrigin.answer(number), "the body is \(shown(answer.body))")
            }
        }
    }

    private struct Message: Equatable {
        var method: String
        var path: [UInt8]
        var query: [UInt8]
        var body: [UInt8]
    }

    /// What the strict reader reads of a client's bytes, nil when it cannot read all of them.
    private static func strictMessages(_ bytes: [UInt8], _ settings: FuzzWorld.Settings) -> [Message]? {
        var reader = StrictReader(isResponse: false)
        reader.feed(bytes)
        var messages: [Message] = []
        while let event = reader.next(method: "") {
            switch event {
            case .head(let head):
                guard let message = message(head, settings), head.values("upgrade").isEmpty else { return nil }
                messages.append(message)
            case .body(let bytes): messages[messages.count - 1].body += bytes
            case .end: break
            case .malformed: return nil
            }
        }
        return messages
    }

    private static func message(_ head: StrictHead, _ settings: FuzzWorld.Settings) -> Message? {
        let words = head.startLine.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, words[2].utf8.starts(with: "HTTP/1.".utf8), words[1].first == "/" else { return nil }
        let target = words[1].utf8
        let path = Array(target.prefix { $0 != 0x3F })
        return Message(
            method: String(words[0]), path: NaivePath.canonical(path, settings.pathRules) ?? path,
            query: Array(target.dropFirst(path.count)), body: [])
    }

    /// Every request that an origin read to its end is one that the client sent, in the client's order.
    private static func compare(
        _ bytes: [UInt8], with requests: [RecordingOrigin.Request], _ settings: FuzzWorld.Settings
    ) throws(FuzzViolation) {
        guard var sent = strictMessages(bytes, settings)?[...] else { return }
        for request in requests where request.isComplete {
            guard var seen = message(request.head, settings) else { continue }
            seen.body = request.body
            guard let place = sent.firstIndex(of: seen) else {
                throw FuzzViolation("an origin sees what nobody sent: \(request.head.startLine) \(shown(seen.body))")
            }
            // A request may be sent a second time; what stands before it is over.
            sent = sent[place...]
        }
    }
}
