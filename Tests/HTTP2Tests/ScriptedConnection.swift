import Containers
import HTTP

@testable import HTTP2

/// One side of a connection under test, and what it does in words.
struct ScriptedConnection: ~Copyable {
    enum Step {
        case bytes([UInt8])
        /// `respond@1`, `reset@1`, `goaway`, `request`, `wait`, …
        case action(Substring)
    }

    let isServer: Bool
    var server: FrameEngine
    var client: FrameEngine
    var section: FieldSection
    let tables = HPACKTables()
    var output = Buffer(capacity: 1 << 20)
    var now = Instant(nanoseconds: 1_000_000_000)
    private(set) var events: [String] = []
    private var pending: [UInt8] = []
    private(set) var hasFailed = false
    /// Content is given back at once.
    var consumes = true

    init(isServer: Bool, settings: LocalSettings = LocalSettings(), limits: FloodLimits = FloodLimits()) {
        self.isServer = isServer
        server = FrameEngine(isServer: true, settings: settings, limits: limits)
        client = FrameEngine(isServer: false, settings: settings, limits: limits)
        section = FieldSection()
        if isServer { server.start(&output) } else { client.start(&output) }
    }

    /// What was done, with content of a stream in one.
    var words: String { events.joined(separator: ", ") }

    mutating func clearEvents() { events = [] }

    /// What was written and not taken yet.
    mutating func takeOutput() -> [UInt8] {
        let bytes = Array(copying: output.span)
        output.clear()
        return bytes
    }

    /// Received bytes; those that were not taken are kept, as a receive buffer keeps them.
    mutating func receive(_ bytes: [UInt8]) {
        if hasFailed { return }
        let pending = self.pending + bytes
        var at = 0
        while true {
            let event =
                isServer
                ? server.next(pending.span, &at, now: now, tables, into: &section, &output)
                : client.next(pending.span, &at, now: now, tables, into: &section, &output)
            if event == .none { break }
            handle(event)
            if hasFailed { break }
        }
        self.pending = Array(pending.dropFirst(at))
    }

    var leftOver: Int { pending.count }

    private mutating func handle(_ event: HTTP2Event) {
        if case .data(let stream, let range, let end) = event {
            if consumes {
                if isServer {
                    server.consumed(stream, Int(range.count), &output)
                } else {
                    client.consumed(stream, Int(range.count), &output)
                }
            }
            append(content: Int(range.count), stream, end)
            return
        }
        if case .failed = event { hasFailed = true }
        events.append(word(event))
    }

    private mutating func append(content count: Int, _ stream: UInt32, _ end: Bool) {
        var total = count
        if let last = events.last, last.hasPrefix("data \(stream) "), !last.hasSuffix(" end") {
            total += Int(last.dropFirst("data \(stream) ".count)) ?? 0
            events.removeLast()
        }
        events.append("data \(stream) \(total)\(end ? " end" : "")")
    }

    private borrowing func word(_ event: HTTP2Event) -> String {
        switch event {
        case .none: "none"
        case .outputFull: "full"
        case .settingsChanged: "settings"
        case .request(let stream, let end): "request \(stream)\(end ? " end" : "")"
        case .refused(let stream, let code, let end): "refused \(stream) \(code)\(end ? " end" : "")"
        case .response(let stream, let end): "response \(stream) \(section.response.status)\(end ? " end" : "")"
        case .interim(let stream): "interim \(stream) \(section.response.status)"
        case .trailers(let stream): "trailers \(stream)"
        case .data: "data"
        case .reset(let stream, let code, let isByPeer): "reset \(stream) \(code)\(isByPeer ? " peer" : "")"
        case .malformed(let stream, let reason): "malformed \(stream) \(reason)"
        case .windowOpened(let stream): "window \(stream)"
        case .goAway(let last, let code): "goaway \(last) \(code)"
        case .pong(let payload): "pong \(payload)"
        case .failed(let code, let reason): "failed \(code) \(reason)"
        }
    }

    // MARK: - What our side does

    mutating func act(_ action: Substring) {
        let stream = UInt32(action.drop { $0 != "@" }.dropFirst()) ?? 0
        switch action.prefix(while: { $0 != "@" }) {
        case "respond": _ = respond(stream, end: true)
        case "begin": _ = respond(stream, end: false)
        case "end": _ = content(0, stream, end: true)
        case "reset":
            _ = isServer ? server.reset(stream, .cancel, &output) : client.reset(stream, .cancel, &output)
        case "notice": _ = server.shutdownNotice(&output)
        case "goaway": _ = server.goAway(.noError, &output)
        case "get": events.append(request("GET", end: true))
        case "head": events.append(request("HEAD", end: true))
        case "post": events.append(request("POST", end: false))
        case "tunnel": events.append(request("GET", end: false, upgrade: true))
        case "wait": now = now.advanced(by: 10_000_000_000)
        default: events.append("unknown \(action)")
        }
    }

    mutating func content(_ count: Int, _ stream: UInt32, end: Bool) -> Bool {
        let isSent =
            isServer
            ? server.appendDataHeader(stream, count, end: end, to: &output)
            : client.appendDataHeader(stream, count, end: end, to: &output)
        if isSent { output.append([UInt8](repeating: 0x78, count: count)) }
        return isSent
    }

    mutating func respond(_ stream: UInt32, end: Bool, lines: [(String, String)] = []) -> SendOutcome {
        var head = ResponseHead()
        var bytes = FieldEncoderTests.Lines()
        for (name, value) in lines { bytes.append(name, value) }
        swap(&head.fields, &bytes.fields)
        head.byteCount = bytes.bytes.count
        return server.beginResponse(
            stream, bytes: bytes.bytes.span, head: head, additions: Span(), framing: .none, date: Span(), end: end,
            tables, &output)
    }

    mutating func request(
        _ method: String, end: Bool, upgrade: Bool = false, lines: [(String, String)] = []
    ) -> String {
        var head = RequestHead()
        var bytes = FieldEncoderTests.Lines()
        for (name, value) in lines { bytes.append(name, value) }
        head.methodRange = ByteRange(start: bytes.bytes.count, count: method.utf8.count)
        bytes.bytes.append(Array(method.utf8))
        head.method = Method.recognise(Array(method.utf8).span)
        swap(&head.fields, &bytes.fields)
        head.byteCount = bytes.bytes.count
        do throws(UnsafeBytes) {
            let start = try client.beginRequest(
                bytes: bytes.bytes.span, head: head, path: Array("/".utf8).span, host: Array("a.test".utf8).span,
                additions: Span(), framing: .none, isSecure: true, upgrade: upgrade, end: end, tables, &output)
            if case .started(let stream) = start { return "started \(stream)" }
            return "\(start)"
        } catch {
            return "unsafe"
        }
    }
}
