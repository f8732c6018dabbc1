/// What the demo upstream does with a request.
enum DemoRoute: Sendable {
    case answer(DemoAnswer)
    case delayed(DemoAnswer, milliseconds: Int)
    case bytes(Int)
    case pieces(DemoPieces)
    case webSocket(key: String)

    static let delayLimit = 120_000
    static let bytesLimit = 64 << 30
    static let piecesLimit = 100_000

    static let help: [(path: String, what: String)] = [
        ("/", "this list"),
        ("/echo", "the request as JSON: method, path, query, headers, body"),
        ("/headers", "the request's headers as JSON"),
        ("/delay/{ms}", "an answer after so many milliseconds, at most \(delayLimit)"),
        ("/stream/{n}", "n lines in chunks, ?interval=100 milliseconds apart"),
        ("/bytes/{n}", "n bytes with Content-Length"),
        ("/status/{code}", "an answer with this status, 200 to 599"),
        ("/sse", "server-sent events, ?interval=1000 milliseconds apart, ?count=3600 of them"),
        ("/ws", "WebSocket: every message comes back"),
    ]

    init(_ request: DemoRequest) {
        let parts = request.path.split(separator: "/", omittingEmptySubsequences: true).map(String.init)
        switch (parts.first, parts.count) {
        case (nil, _): self = .answer(Self.json(Self.helpText))
        case ("echo", _): self = .answer(Self.json(Self.echo(request)))
        case ("headers", 1): self = .answer(Self.json(Self.headers(request, indent: "") + "\n"))
        case ("delay", 2): self = Self.delay(parts[1])
        case ("bytes", 2): self = Self.number(parts[1], upTo: Self.bytesLimit).map { .bytes($0) } ?? Self.badNumber
        case ("stream", 2): self = Self.stream(parts[1], request)
        case ("status", 2): self = Self.status(parts[1])
        case ("sse", 1): self = Self.events(request)
        case ("ws", 1): self = Self.webSocket(request)
        default: self = .answer(DemoAnswer(status: 404, body: "no such page; / lists what there is\n"))
        }
    }

    // MARK: Pages

    private static func json(_ text: String) -> DemoAnswer {
        DemoAnswer(type: "application/json", body: text)
    }

    private static var helpText: String {
        JSONText.object(help.map { ($0.path, JSONText.string($0.what)) }) + "\n"
    }

    private static func echo(_ request: DemoRequest) -> String {
        var members: [(name: String, value: String)] = [
            ("method", JSONText.string(request.method)), ("path", JSONText.string(request.path)),
            ("query", JSONText.string(request.query)), ("headers", headers(request, indent: "  ")),
            ("body_bytes", "\(request.bodyCount)"),
        ]
        if let text = String(validating: request.body, as: UTF8.self) {
            members.append(("body", JSONText.string(text)))
        }
        return JSONText.object(members) + "\n"
    }

    /// Equal names are one member, their values joined by commas (RFC 9110 section 5.3).
    private static func headers(_ request: DemoRequest, indent: String) -> String {
        var order: [String] = []
        var values: [String: String] = [:]
        for field in request.fields {
            let name = field.name.lowercased()
            if let known = values[name] {
                values[name] = known + ", " + field.value
            } else {
                order.append(name)
                values[name] = field.value
            }
        }
        return JSONText.object(order.map { ($0, JSONText.string(values[$0] ?? "")) }, indent: indent)
    }

    private static func delay(_ text: String) -> DemoRoute {
        guard let milliseconds = number(text, upTo: delayLimit) else { return badNumber }
        return .delayed(json("{\"delay_ms\": \(milliseconds)}\n"), milliseconds: milliseconds)
    }

    private static func stream(_ text: String, _ request: DemoRequest) -> DemoRoute {
        guard let count = number(text, upTo: piecesLimit), count > 0 else { return badNumber }
        let interval = request.number("interval", default: 100, in: 0...60_000)
        return .pieces(DemoPieces(kind: .lines, count: count, interval: interval))
    }

    private static func events(_ request: DemoRequest) -> DemoRoute {
        let interval = request.number("interval", default: 1_000, in: 0...60_000)
        let count = request.number("count", default: 3_600, in: 1...piecesLimit)
        return .pieces(DemoPieces(kind: .events, count: count, interval: interval))
    }

    private static func status(_ text: String) -> DemoRoute {
        guard let status = number(text, upTo: 599), status >= 200 else { return badNumber }
        var answer = json("{\"status\": \(status)}\n")
        answer.status = status
        if (300...399).contains(status) { answer.fields.append(("Location", "/")) }
        return .answer(answer)
    }

    private static func webSocket(_ request: DemoRequest) -> DemoRoute {
        guard request.isWebSocketHandshake, let key = request.field("sec-websocket-key") else {
            var answer = DemoAnswer(status: 426, body: "this page speaks WebSocket\n")
            answer.fields = [("Upgrade", "websocket"), ("Connection", "Upgrade")]
            return .answer(answer)
        }
        return .webSocket(key: key)
    }

    private static var badNumber: DemoRoute {
        .answer(DemoAnswer(status: 400, body: "the number in the path is missing, wrong or too large\n"))
    }

    private static func number(_ text: String, upTo limit: Int) -> Int? {
        guard text.utf8.count <= 12, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int(text).flatMap { $0 <= limit ? $0 : nil }
    }
}
