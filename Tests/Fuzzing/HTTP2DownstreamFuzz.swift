import Simulation

/// A client's whole connection in HTTP/2: `[settings][seed][script]`; see `PeerScript`. The script's bytes are frames; preface
/// and SETTINGS are put before them, unless the settings say otherwise.
///
/// Whatever reaches an origin reads under a strict reader for HTTP/1.1, and is a request of a stream; every answer stands on
/// the stream of its request and is whole; windows are kept; frames are whole up to the end.
enum HTTP2DownstreamFuzz {
    /// What a client begins with: it knows beforehand.
    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    static let emptySettings: [UInt8] = [0, 0, 0, 4, 0, 0, 0, 0, 0]

    static func run(_ input: [UInt8]) throws(FuzzViolation) {
        var parts = FuzzInput(input)
        let flags = parts.byte()
        var settings = FuzzWorld.Settings(seed: UInt64(parts.byte()))
        settings.clientsSpeakHTTP2 = true
        settings.hasFaults = flags & 1 != 0
        settings.isTrusted = flags & 4 != 0
        settings.isTight = flags & 8 != 0
        settings.rejectsEncodedSlash = flags & 16 != 0
        let beginning = flags & 2 != 0 ? [] : flags & 128 != 0 ? preface : preface + emptySettings
        let script = PeerScript(beginning + parts.rest(), isBytewise: flags & 32 != 0)
        var world = try FuzzWorld(settings)
        let origin = RecordingOrigin(network: world.network, switches: flags & 64 == 0)
        world.network.add(origin)
        let client = ScriptedClient(script, network: world.network)
        client.start()
        try world.run { client.isDone }
        for request in origin.requests { try DownstreamFuzz.check(request, settings) }
        guard script.bytes.starts(with: preface) else { return }
        var sent = NaiveStreams()
        sent.feed(Array(script.bytes.dropFirst(preface.count)))
        try compare(sent, with: origin.requests, settings)
        try checkAnswers(client, origin, sent)
    }

    private static func checkAnswers(
        _ client: ScriptedClient, _ origin: RecordingOrigin, _ sent: NaiveStreams
    ) throws(FuzzViolation) {
        var got = NaiveStreams()
        // A connection whose preface is broken may have got an answer in HTTP/1.1.
        guard !client.received.starts(with: Array("HTTP/1.1 ".utf8)) else { return }
        got.feed(client.received)
        try require(got.fault == nil, "a client gets \(got.fault ?? "")")
        if client.sawEnd { try require(got.rest.isEmpty, "\(got.rest.count) bytes behind the last frame") }
        var answered: Set<Int> = []
        var contentBytes = 0
        for (number, stream) in got.streams {
            try require(sent.streams[number] != nil && number & 1 == 1, "a frame of stream \(number)")
            try require(
                stream.contentBytes <= sent.allowance(number), "stream \(number) got \(stream.contentBytes) bytes")
            contentBytes += stream.contentBytes
            guard let place = stream.finalBlock else {
                try require(stream.content.isEmpty, "content before the answer on stream \(number)")
                continue
            }
            try require(stream.blocks.count <= place + 2, "\(stream.blocks.count) field blocks on stream \(number)")
            guard let name = stream.text("x-answers", in: place) else { continue }
            guard let request = Int(name), request < origin.requests.count, answered.insert(request).inserted else {
                throw FuzzViolation("stream \(number) gets the answer to request \(name)")
            }
            let isHead = origin.requests[request].words.first == "HEAD"
            let body = isHead ? [] : RecordingOrigin.answer(request)
            let isWhole = !stream.isEnded || stream.content == body
            try require(isWhole && body.starts(with: stream.content), "the body is \(shown(stream.content))")
            try require(
                stream.text("x-method", in: place) == method(sent.streams[number]),
                "stream \(number) gets the answer to another one's request")
        }
        try require(contentBytes <= sent.allowance(0), "the connection got \(contentBytes) bytes of content")
    }

    /// As the origin sees it.
    private static func method(_ stream: NaiveStreams.Stream?) -> String? {
        stream?.value(":protocol") != nil ? "GET" : stream?.text(":method")
    }

    /// Every request that an origin read to its end is one that the client sent on a stream, whole.
    private static func compare(
        _ sent: NaiveStreams, with requests: [RecordingOrigin.Request], _ settings: FuzzWorld.Settings
    ) throws(FuzzViolation) {
        for request in requests where request.isComplete {
            let words = request.words
            let isTunnel = !request.head.values("upgrade").isEmpty
            let isSent = sent.streams.values.contains { stream in
                guard let path = stream.value(":path"), method(stream).map({ Substring($0) }) == words[0] else {
                    return false
                }
                let bare = Array(path.prefix { $0 != 0x3F })
                let canonical = NaivePath.canonical(bare, settings.pathRules) ?? bare
                let target = canonical + path.dropFirst(bare.count)
                return target == Array(words[1].utf8) && (isTunnel || stream.isEnded && stream.content == request.body)
            }
            try require(isSent, "an origin sees what nobody sent: \(request.head.startLine) \(shown(request.body))")
        }
    }
}
