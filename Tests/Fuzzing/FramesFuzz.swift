import Containers
import HTTP
import HTTP1
import HTTP2
import Simulation

/// A peer's side of an HTTP/2 connection: `[settings][how it is cut][frames]`.
///
/// A cut changes no event; each stream's events come in order, and none after its end; an accepted request is written for an
/// HTTP/1.1 upstream and reads the same there; what we write are whole frames.
enum FramesFuzz {
    static func run(_ input: [UInt8]) throws(FuzzViolation) {
        var parts = FuzzInput(input)
        let settings = parts.byte()
        let pattern = parts.byte()
        var bytes = parts.rest()
        let isServer = settings & 1 == 0
        if settings & 2 == 0 {
            let preface = isServer ? Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) : []
            bytes = preface + [0, 0, 0, 4, 0, 0, 0, 0, 0] + bytes
        }
        var whole = FuzzedConnection(isServer: isServer, settings)
        try whole.receive(bytes)
        var cut = FuzzedConnection(isServer: isServer, settings)
        for piece in pieces(of: bytes, cutBy: pattern) { try cut.receive(piece) }
        try require(whole.events == cut.events, "\(whole.events) in one piece, \(cut.events) in many")
        try whole.checkOutput()
        try cut.checkOutput()
    }
}

/// One of our connections, and what must hold for it.
struct FuzzedConnection: ~Copyable {
    private enum State { case open, receiving, ended, gone }

    private let isServer: Bool
    private var server: FrameEngine
    private var client: FrameEngine
    private var section = FieldSection()
    private let tables = HPACKTables()
    private var output = Buffer(capacity: 1 << 20)
    private var pending: [UInt8] = []
    private var states: [UInt32: State] = [:]
    private var contentLeft: [UInt32: Int] = [:]
    private var lastStream: UInt32 = 0
    private var hasFailed = false
    private(set) var events: [String] = []

    init(isServer: Bool, _ flags: UInt8) {
        self.isServer = isServer
        var settings = LocalSettings()
        settings.allowsConnect = flags & 4 != 0
        settings.concurrentStreams = flags & 8 != 0 ? 2 : 100
        server = FrameEngine(isServer: true, settings: settings)
        client = FrameEngine(isServer: false, settings: LocalSettings())
        if isServer {
            server.start(&output)
            return
        }
        client.start(&output)
        for number in 0..<4 { open(number) }
    }

    /// A GET, a HEAD, and two requests with content.
    private mutating func open(_ number: Int) {
        var head = RequestHead()
        let method = Array(["GET", "HEAD", "POST", "PUT"][number].utf8)
        head.method = Method.recognise(method.span)
        head.methodRange = ByteRange(start: 0, count: method.count)
        head.byteCount = method.count
        let (path, host) = (Array("/".utf8), Array("a.test".utf8))
        let started = try? client.beginRequest(
            bytes: method.span, head: head, path: path.span, host: host.span, additions: Span(),
            framing: number < 2 ? .none : .chunked, isSecure: true, end: number < 2, tables, &output)
        if case .started(let stream)? = started { states[stream] = .open }
    }

    mutating func receive(_ bytes: [UInt8]) throws(FuzzViolation) {
        if hasFailed { return }
        let readable = pending + bytes
        var at = 0
        while !hasFailed {
            let before = at
            let event =
                isServer
                ? server.next(
                    readable.span, &at, now: Instant(nanoseconds: 0), tables, into: &section, &output)
                : client.next(
                    readable.span, &at, now: Instant(nanoseconds: 0), tables, into: &section, &output)
            try require(at >= before && at <= readable.count, "\(at) of \(readable.count) bytes were read")
            if event == .none { break }
            try take(event, at)
        }
        pending = Array(readable.dropFirst(at))
        try require(hasFailed || pending.count < FrameEngine.inputRoom, "\(pending.count) bytes are left")
        try require(server.openStreams <= 100, "\(server.openStreams) streams")
    }

    private mutating func take(_ event: HTTP2Event, _ at: Int) throws(FuzzViolation) {
        switch event {
        case .request(let stream, let end), .refused(let stream, _, let end):
            if !isServer { states[stream] = .gone } else { try takeRequest(stream, end, event) }
        case .response(let stream, let end):
            try require(states[stream] == .open, "a response for stream \(stream)")
            states[stream] = end ? .ended : .receiving
            if case .length(let length) = section.response.framing, !end { contentLeft[stream] = length }
        case .interim(let stream): try require(states[stream] == .open, "an interim response for stream \(stream)")
        case .data(let stream, let range, let end):
            try takeData(stream, range, end, at)
            return
        case .trailers(let stream):
            try require(states[stream] == .receiving, "trailers of stream \(stream)")
            try require(contentLeft[stream] ?? 0 == 0, "trailers before the end of stream \(stream)'s content")
            states[stream] = .ended
        case .reset(let stream, _, _), .malformed(let stream, _):
            try require(states[stream] != .gone, "stream \(stream) goes twice")
            states[stream] = .gone
        case .windowOpened(let stream):
            try require(stream == 0 || states[stream] != .gone && states[stream] != nil, "a window of stream \(stream)")
        case .failed: hasFailed = true
        case .outputFull: throw FuzzViolation("the output is full")
        case .none, .settingsChanged, .goAway, .pong: break
        }
        events.append("\(event)")
    }

    private mutating func takeData(
        _ stream: UInt32, _ range: ByteRange, _ end: Bool, _ at: Int
    ) throws(FuzzViolation) {
        try require(states[stream] == .receiving, "content of stream \(stream)")
        try require(range.upper <= at, "content that was not received")
        if let left = contentLeft[stream] {
            contentLeft[stream] = left - Int(range.count)
            try require(left >= Int(range.count), "stream \(stream) has more content than it said")
            try require(!end || left == Int(range.count), "stream \(stream) has less content than it said")
        }
        if end { states[stream] = .ended }
        if isServer {
            server.consumed(stream, Int(range.count), &output)
        } else {
            client.consumed(stream, Int(range.count), &output)
        }
        let prefix = "data \(stream) "
        var total = Int(range.count)
        if let last = events.last, last.hasPrefix(prefix), !last.hasSuffix("end") {
            total += Int(last.dropFirst(prefix.count)) ?? 0
            events.removeLast()
        }
        events.append(prefix + "\(total)" + (end ? " end" : ""))
    }

    private mutating func takeRequest(_ stream: UInt32, _ end: Bool, _ event: HTTP2Event) throws(FuzzViolation) {
        if case .refused(_, .trailersTooLarge, _) = event {
            states[stream] = .ended
            return
        }
        try require(stream > lastStream && stream & 1 == 1, "stream \(stream) behind \(lastStream)")
        lastStream = stream
        states[stream] = end ? .ended : .receiving
        if case .length(let length) = section.request.framing, !end { contentLeft[stream] = length }
        if case .request = event { try checkHead() }
        // Every third one is answered, others are reset or wait.
        switch stream / 2 % 3 {
        case 0:
            var head = ResponseHead()
            head.status = section.request.isWebSocketHandshake ? 101 : 200
            let outcome = server.beginResponse(
                stream, bytes: Span(), head: head, additions: Span(), framing: .none, date: Span(),
                end: head.status == 200, tables, &output)
            try require(outcome == .sent, "an answer is \(outcome)")
        case 1:
            try require(server.reset(stream, .cancel, &output) == .sent, "a reset is not sent")
            states[stream] = .gone
        default: break
        }
    }

    /// The forwarding normal form.
    private borrowing func checkHead() throws(FuzzViolation) {
        let bytes = section.arena.span
        var buffer = Buffer(capacity: 2 * bytes.count + 4_096)
        let isWritten: Bool
        do throws(EncoderFailure) {
            isWritten = try RequestEncoder.append(
                to: &buffer, bytes: bytes, head: section.request, path: bytes.extracting(section.request.path.range),
                host: bytes.extracting(section.request.authority.range), additions: Span(),
                framing: section.request.framing, upgrade: section.request.isWebSocketHandshake,
                acceptsTrailers: section.request.acceptsTrailers)
        } catch {
            throw FuzzViolation("an accepted head cannot be written: \(error)")
        }
        try require(isWritten, "a head does not fit")
        let head: StrictHead
        do throws(StrictHead.Malformed) {
            head = try StrictHead(buffer.copiedBytes())
        } catch {
            throw FuzzViolation("\(error.reason): \(shown(buffer.copiedBytes()))")
        }
        try require(head.values("host").count == 1, "\(head.values("host").count) times Host")
        try require(head.values("cookie").count <= 1, "\(head.values("cookie").count) cookies")
        try require(head.values("transfer-encoding").count + head.values("content-length").count <= 1, "two lengths")
    }

    /// Whole frames, of streams that there are.
    borrowing func checkOutput() throws(FuzzViolation) {
        var rest = output.copiedBytes()[...]
        if !isServer { rest = rest.dropFirst(24) }
        while rest.count >= 9 {
            let at = rest.startIndex
            let length = Int(rest[at]) << 16 | Int(rest[at + 1]) << 8 | Int(rest[at + 2])
            let stream = rest[(at + 5)..<(at + 9)].reduce(0) { $0 << 8 | Int($1) }
            try require(rest[at + 3] <= 9 && length <= 16_384, "a frame of type \(rest[at + 3]), \(length) bytes")
            try require(length <= rest.count - 9, "a frame that is cut")
            try require(stream & 1 == 1 || stream == 0, "a frame of stream \(stream)")
            rest = rest.dropFirst(9 + length)
        }
        try require(rest.isEmpty, "\(rest.count) bytes behind the last frame")
    }
}
