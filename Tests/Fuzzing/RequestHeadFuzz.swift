import Containers
import HTTP
import HTTP1
import Simulation

/// Request heads: `[settings][head and what follows]`.
///
/// Every cut gives the same verdict; what is accepted has no byte that ends a line for others; what is written for an
/// upstream reads the same under a strict reader and under our own parser.
enum RequestHeadFuzz {
    private enum Verdict: Equatable {
        case more
        case failed(ErrorCode)
        case head(Facts)
    }

    private struct Facts: Equatable {
        var method: String
        var target: [UInt8]
        var authority: [UInt8]
        var framing: BodyFraming
        var keepAlive: Bool
        var expectsContinue: Bool
        var acceptsTrailers: Bool
        var isUpgrade: Bool
        var minorVersion: UInt8
        var byteCount: Int
        var fields: HeadFields
        /// As written for an upstream.
        var output: [UInt8]
    }

    static func run(_ input: [UInt8]) throws(FuzzViolation) {
        var parts = FuzzInput(input)
        let settings = parts.byte()
        let bytes = parts.rest()
        let limits =
            settings & 1 == 0
            ? RequestLimits() : RequestLimits(targetBytes: 24, fieldBytes: 48, headBytes: 200, fields: 6)
        let parser = RequestParser(limits: limits)
        let whole = try verdict(bytes, parser)
        try checkCuts(bytes, parser, whole)
        guard case .head(let facts) = whole else {
            try require(whole != .more || bytes.count < limits.headBytes, "more is wanted than a head may have")
            return
        }
        try require(facts.byteCount <= limits.headBytes, "\(facts.byteCount) bytes of a head")
        try require(facts.fields.lines.count <= limits.fields, "\(facts.fields.lines.count) fields")
        try checkInput(Array(bytes.prefix(facts.byteCount)), facts)
        try facts.fields.checkHopByHop(isResponse: false)
        try checkOutput(facts)
    }

    private static func verdict(_ bytes: [UInt8], _ parser: RequestParser) throws(FuzzViolation) -> Verdict {
        var head = RequestHead()
        do throws(RequestFailure) {
            guard try parser.parse(bytes.span, into: &head) else { return .more }
        } catch {
            return .failed(error.code)
        }
        let span = bytes.span
        var buffer = Buffer(capacity: 2 * bytes.count + 4_096)
        let isWritten: Bool
        do throws(EncoderFailure) {
            isWritten = try RequestEncoder.append(
                to: &buffer, bytes: span, head: head, path: span.extracting(head.path.range),
                host: span.extracting(head.authority.range), additions: Span(), framing: head.framing,
                upgrade: head.isWebSocketHandshake, sendExpect: head.expectsContinue,
                acceptsTrailers: head.acceptsTrailers)
        } catch {
            throw FuzzViolation("an accepted head cannot be written: \(error)")
        }
        try require(isWritten, "a head does not fit")
        return .head(
            Facts(
                method: String(decoding: bytes[head.methodRange.range], as: UTF8.self),
                target: Array(bytes[head.target.range]), authority: Array(bytes[head.authority.range]),
                framing: head.framing, keepAlive: head.keepAlive, expectsContinue: head.expectsContinue,
                acceptsTrailers: head.acceptsTrailers, isUpgrade: head.isWebSocketHandshake,
                minorVersion: head.minorVersion, byteCount: head.byteCount, fields: HeadFields(head.fields, of: bytes),
                output: buffer.copiedBytes()))
    }

    private static func checkCuts(
        _ bytes: [UInt8], _ parser: RequestParser, _ whole: Verdict
    ) throws(FuzzViolation) {
        var head = RequestHead()
        var hasEnded = false
        for count in cuts(of: bytes.count, bytes) {
            let piece = bytes.span.extracting(first: count)
            var isComplete = false
            do throws(RequestFailure) {
                isComplete = try parser.parse(piece, into: &head)
            } catch {
                try require(whole == .failed(error.code), "\(error.code) with \(count) bytes, \(whole) with all")
                hasEnded = true
                continue
            }
            if isComplete {
                hasEnded = true
                guard case .head(let facts) = whole, facts.byteCount == head.byteCount, head.framing == facts.framing
                else { throw FuzzViolation("a head with \(count) bytes, \(whole) with all") }
            } else {
                try require(!hasEnded, "unfinished again with \(count) bytes")
            }
        }
    }

    /// What we accepted, under the strict reader: it may refuse more than we do, but where it reads a message we must
    /// read the same.
    private static func checkInput(_ head: [UInt8], _ facts: Facts) throws(FuzzViolation) {
        var lines = head[...]
        while lines.starts(with: [13, 10]) { lines = lines.dropFirst(2) }
        let strict: StrictHead
        let framing: StrictFraming
        do throws(StrictHead.Malformed) {
            strict = try StrictHead(Array(lines))
            framing = try strict.framing(isResponse: false)
        } catch {
            try checkAccepted(error)
            return
        }
        try check(framing, facts.framing, "as received")
        try require(strict.fields.count == facts.fields.lines.count, "\(strict.fields.count) fields as received")
    }

    /// What nobody may accept; about the rest the strict reader is stricter than RFC 9112.
    static func checkAccepted(_ malformed: StrictHead.Malformed) throws(FuzzViolation) {
        let reason = malformed.reason
        let isSmuggling =
            ["a bare CR", "a bare LF", "a control byte", "no end"].contains(reason) || reason.hasPrefix("both")
            || reason.contains("stands there")
        try require(!isSmuggling, "accepted with \(reason)")
    }

    static func check(_ strict: StrictFraming, _ ours: BodyFraming, _ place: String) throws(FuzzViolation) {
        let isSame =
            switch (strict, ours) {
            case (.length(let count), .length(let own)): count == own
            case (.length(0), .none), (.chunked, .chunked), (.untilEnd, .untilClose): true
            default: false
            }
        try require(isSame, "framing \(strict) under the strict reader, \(ours) for us, \(place)")
    }

    private static func checkOutput(_ facts: Facts) throws(FuzzViolation) {
        let strict: StrictHead
        let framing: StrictFraming
        do throws(StrictHead.Malformed) {
            strict = try StrictHead(facts.output)
            framing = try strict.framing(isResponse: false)
        } catch {
            throw FuzzViolation("written with \(error.reason): \(shown(facts.output))")
        }
        try check(framing, facts.framing, "as written")
        let words = strict.startLine.split(separator: " ", omittingEmptySubsequences: false)
        try require(
            words.count == 3 && words[0] == facts.method && !words[1].isEmpty && words[2] == "HTTP/1.1",
            "the request line is \(strict.startLine)")
        var expected = [(name: "host", value: String(decoding: facts.authority, as: UTF8.self))]
        expected += facts.fields.kept.map { ($0.name, $0.value) }
        try require(
            strict.fields.count >= expected.count && zip(strict.fields, expected).allSatisfy { $0 == $1 },
            "fields are \(strict.fields), not \(expected)")
        for field in strict.fields.dropFirst(expected.count) {
            let own = ["content-length", "transfer-encoding", "expect", "connection", "upgrade", "te"]
            try require(own.contains(field.name), "\(field.name) was added")
        }
        try checkAgain(facts)
    }

    /// What was written is read and written again without a change.
    private static func checkAgain(_ facts: Facts) throws(FuzzViolation) {
        // HTTP/1.0 may come without Host; a worker sets one.
        if facts.authority.isEmpty { return }
        let limits = RequestLimits(targetBytes: 16_384, fieldBytes: 16_384, headBytes: 65_536, fields: 256)
        guard case .head(let again) = try verdict(facts.output, RequestParser(limits: limits)) else {
            throw FuzzViolation("what was written is not accepted: \(shown(facts.output))")
        }
        try require(again.output == facts.output, "written again: \(shown(again.output)), not \(shown(facts.output))")
        try require(
            again.framing == facts.framing && again.method == facts.method && again.authority == facts.authority
                && again.isUpgrade == facts.isUpgrade && again.byteCount == facts.output.count,
            "what was written means something else: \(shown(facts.output))")
    }
}
