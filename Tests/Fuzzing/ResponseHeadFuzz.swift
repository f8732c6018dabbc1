import Containers
import HTTP
import HTTP1
import Simulation

/// Response heads: `[settings][head and what follows]`; the promises are those of request heads.
enum ResponseHeadFuzz {
    private enum Verdict: Equatable {
        case more
        case failed(ErrorCode)
        case head(Facts)
    }

    private struct Facts: Equatable {
        var status: Int
        var framing: BodyFraming
        var declaredLength: Int?
        var keepAlive: Bool
        var isSwitch: Bool
        var byteCount: Int
        var fields: HeadFields
        var output: [UInt8]
    }

    private struct Request {
        var method: Method
        var minorVersion: UInt8
    }

    static func run(_ input: [UInt8]) throws(FuzzViolation) {
        var parts = FuzzInput(input)
        let settings = parts.byte()
        let bytes = parts.rest()
        let limits = settings & 1 == 0 ? ResponseLimits() : ResponseLimits(headBytes: 200, fields: 6)
        let parser = ResponseParser(limits: limits)
        let request = Request(method: settings & 2 == 0 ? .get : .head, minorVersion: settings & 4 == 0 ? 1 : 0)
        let whole = try verdict(bytes, parser, request)
        try checkCuts(bytes, parser, request, whole)
        guard case .head(let facts) = whole else {
            try require(whole != .more || bytes.count < limits.headBytes, "more is wanted than a head may have")
            return
        }
        try require(facts.byteCount <= limits.headBytes, "\(facts.byteCount) bytes of a head")
        try require(facts.fields.lines.count <= limits.fields, "\(facts.fields.lines.count) fields")
        try checkInput(Array(bytes.prefix(facts.byteCount)), request, facts)
        try facts.fields.checkHopByHop(isResponse: true)
        try checkOutput(facts, request)
    }

    private static func verdict(
        _ bytes: [UInt8], _ parser: ResponseParser, _ request: Request
    ) throws(FuzzViolation) -> Verdict {
        var head = ResponseHead()
        do throws(ResponseFailure) {
            guard try parser.parse(bytes.span, requestMethod: request.method, into: &head) else { return .more }
        } catch {
            return .failed(error.code)
        }
        var buffer = Buffer(capacity: 2 * bytes.count + 4_096)
        try write(bytes, head, request, to: &buffer)
        return .head(
            Facts(
                status: head.status, framing: head.framing, declaredLength: head.declaredLength,
                keepAlive: head.keepAlive, isSwitch: head.isWebSocketSwitch, byteCount: head.byteCount,
                fields: HeadFields(head.fields, of: bytes), output: buffer.copiedBytes()))
    }

    /// As a worker would: what an HTTP/1.0 client cannot read in chunks ends with the connection.
    private static func write(
        _ bytes: [UInt8], _ head: borrowing ResponseHead, _ request: Request, to buffer: inout Buffer
    ) throws(FuzzViolation) {
        if head.status < 200, head.status != 101 {
            let isWritten = ResponseEncoder.appendInterim(to: &buffer, bytes: bytes.span, head: head)
            try require(isWritten, "an interim head does not fit")
            return
        }
        let isTurned = head.framing == .chunked && request.minorVersion == 0
        let framing = isTurned ? BodyFraming.untilClose : head.framing
        let connection: ConnectionOption =
            head.isWebSocketSwitch ? .upgrade : framing == .untilClose ? .close : .keepAlive
        let isWritten: Bool
        do throws(EncoderFailure) {
            isWritten = try ResponseEncoder.append(
                to: &buffer, bytes: bytes.span, head: head, additions: Span(), framing: framing,
                connection: connection, clientMinorVersion: request.minorVersion, date: Span())
        } catch {
            throw FuzzViolation("an accepted head cannot be written: \(error)")
        }
        try require(isWritten, "a head does not fit")
    }

    private static func checkCuts(
        _ bytes: [UInt8], _ parser: ResponseParser, _ request: Request, _ whole: Verdict
    ) throws(FuzzViolation) {
        var head = ResponseHead()
        var hasEnded = false
        for count in cuts(of: bytes.count, bytes) {
            let piece = bytes.span.extracting(first: count)
            var isComplete = false
            do throws(ResponseFailure) {
                isComplete = try parser.parse(piece, requestMethod: request.method, into: &head)
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

    private static func mayHaveContent(_ facts: Facts, _ request: Request) -> Bool {
        facts.status >= 200 && ![204, 205, 304].contains(facts.status) && request.method != .head
    }

    private static func checkInput(_ head: [UInt8], _ request: Request, _ facts: Facts) throws(FuzzViolation) {
        let strict: StrictHead
        let framing: StrictFraming
        do throws(StrictHead.Malformed) {
            strict = try StrictHead(head)
            framing = try strict.framing(isResponse: true)
        } catch {
            try RequestHeadFuzz.checkAccepted(error)
            return
        }
        if mayHaveContent(facts, request) {
            try RequestHeadFuzz.check(framing, facts.framing, "as received")
        } else {
            try require(facts.framing == .none || facts.framing == .length(0), "content in a \(facts.status)")
        }
        try require(strict.fields.count == facts.fields.lines.count, "\(strict.fields.count) fields as received")
    }

    private static func checkOutput(_ facts: Facts, _ request: Request) throws(FuzzViolation) {
        let strict: StrictHead
        let framing: StrictFraming
        do throws(StrictHead.Malformed) {
            strict = try StrictHead(facts.output)
            framing = try strict.framing(isResponse: true)
        } catch {
            throw FuzzViolation("written with \(error.reason): \(shown(facts.output))")
        }
        if mayHaveContent(facts, request) {
            let isTurned = facts.framing == .chunked && request.minorVersion == 0
            try RequestHeadFuzz.check(framing, isTurned ? .untilClose : facts.framing, "as written")
        } else if facts.status < 200 || facts.status == 204 {
            try require(framing == .untilEnd, "framing in a \(facts.status)")
        }
        try require(
            strict.startLine.utf8.starts(with: "HTTP/1.1 \(facts.status) ".utf8),
            "the status line is \(strict.startLine)")
        let expected = facts.fields.kept.map { (name: $0.name, value: $0.value) }
        try require(
            strict.fields.count >= expected.count && zip(strict.fields, expected).allSatisfy { $0 == $1 },
            "fields are \(strict.fields), not \(expected)")
        for field in strict.fields.dropFirst(expected.count) {
            let own = ["content-length", "transfer-encoding", "connection", "upgrade"]
            try require(own.contains(field.name), "\(field.name) was added")
        }
        if request.minorVersion == 0 { try require(strict.values("transfer-encoding").isEmpty, "chunks for HTTP/1.0") }
        let limits = ResponseLimits(headBytes: 131_072, fields: 512)
        guard case .head(let again) = try verdict(facts.output, ResponseParser(limits: limits), request) else {
            throw FuzzViolation("what was written is not accepted: \(shown(facts.output))")
        }
        try require(again.output == facts.output, "written again: \(shown(again.output)), not \(shown(facts.output))")
        try require(
            again.status == facts.status && again.isSwitch == facts.isSwitch,
            "what was written means something else: \(shown(facts.output))")
    }
}
