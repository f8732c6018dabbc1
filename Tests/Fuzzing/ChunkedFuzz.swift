import Containers
import HTTP
import HTTP1
import Simulation

/// Chunked bodies: `[how it is cut][bytes]`.
///
/// A cut changes nothing; what was decoded and framed again reads the same under a strict reader and under our own
/// decoder; what a strict reader reads, we read the same.
enum ChunkedFuzz {
    private struct Body: Equatable {
        enum End: Equatable {
            case more, complete
            case failed(ChunkedFailure)
        }

        var end = End.more
        var content: [UInt8] = []
        /// Bytes behind the body.
        var rest: [UInt8] = []
        var trailers: [UInt8] = []
        var removed: [Bool] = []
        /// Framed again.
        var output: [UInt8] = []
    }

    static func run(_ input: [UInt8]) throws(FuzzViolation) {
        var parts = FuzzInput(input)
        let pattern = parts.byte()
        let bytes = parts.rest()
        let whole = try decode([bytes])
        let cut = try decode(pieces(of: bytes, cutBy: pattern))
        try require(whole.end == cut.end, "\(whole.end) in one piece, \(cut.end) in many")
        if case .failed = whole.end { return }
        try require(whole == cut, "another body in many pieces: \(shown(cut.content)), not \(shown(whole.content))")
        try require(whole.content.count + whole.rest.count <= bytes.count, "more came out than went in")
        try checkStrictReading(of: bytes, whole)
        guard whole.end == .complete else { return }
        try checkOutput(whole)
    }

    private static func decode(_ pieces: [[UInt8]]) throws(FuzzViolation) -> Body {
        var decoder = ChunkedDecoder()
        var section = TrailerSection()
        var body = Body()
        for piece in pieces {
            if body.end == .complete {
                body.rest += piece
                continue
            }
            var buffer = Buffer(capacity: piece.count + 40, headroom: 20)
            buffer.append(piece)
            do throws(ChunkedFailure) {
                let progress = try decoder.decode(&buffer, trailers: &section)
                let bytes = buffer.copiedBytes()
                body.content += bytes[..<progress.contentCount]
                body.rest += bytes[progress.consumed...]
                if progress.isComplete { body.end = .complete }
            } catch {
                body.end = .failed(error)
                return body
            }
            try require(body.end == .complete || body.rest.isEmpty, "bytes left over in the middle of a body")
        }
        let limits = ChunkLimits()
        let byteCount = section.bytes.count
        try require(section.count <= Int(limits.trailerFields), "\(section.count) trailers")
        try require(byteCount <= 2 * Int(limits.trailerBytes), "\(byteCount) bytes of trailers")
        body.trailers = Array(copying: section.bytes)
        body.removed = (0..<section.count).map { section[$0].isRemoved }
        if body.end == .complete { body.output = try frame(body.content, section) }
        return body
    }

    private static func frame(_ content: [UInt8], _ trailers: borrowing TrailerSection) throws(FuzzViolation) -> [UInt8]
    {
        var output: [UInt8] = []
        if !content.isEmpty {
            var buffer = Buffer(capacity: content.count + 40, headroom: ChunkEncoder.headroom)
            buffer.append(content)
            try require(ChunkEncoder.frame(&buffer), "content cannot be framed")
            output += buffer.copiedBytes()
        }
        var last = Buffer(capacity: trailers.bytes.count + 5)
        try require(ChunkEncoder.appendLast(to: &last, trailers: trailers), "the last chunk does not fit")
        return output + last.copiedBytes()
    }

    private static let head = Array("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)

    private struct StrictBody {
        var content: [UInt8] = []
        var isComplete = false
        var malformed: String?
        var unused = 0
    }

    private static func readStrictly(_ bytes: [UInt8]) -> StrictBody {
        var reader = StrictReader(isResponse: false)
        reader.feed(head + bytes)
        var body = StrictBody()
        while !body.isComplete, body.malformed == nil, let event = reader.next(method: "POST") {
            switch event {
            case .head: break
            case .body(let bytes): body.content += bytes
            case .end: body.isComplete = true
            case .malformed(let reason): body.malformed = reason
            }
        }
        body.unused = reader.unusedCount
        return body
    }

    private static func checkStrictReading(of bytes: [UInt8], _ ours: Body) throws(FuzzViolation) {
        let strict = readStrictly(bytes)
        guard strict.malformed == nil else { return }
        try require(strict.content == ours.content, "the strict reader reads \(shown(strict.content))")
        try require(strict.isComplete == (ours.end == .complete), "the strict reader sees another end")
        if strict.isComplete { try require(strict.unused == ours.rest.count, "the body ends elsewhere") }
    }

    private static func checkOutput(_ ours: Body) throws(FuzzViolation) {
        let strict = readStrictly(ours.output)
        try require(strict.malformed == nil, "framed with \(strict.malformed ?? "")")
        try require(strict.isComplete && strict.unused == 0, "what was framed does not end at its end")
        try require(strict.content == ours.content, "what was framed has other content")
        let again = try decode([ours.output])
        try require(again.end == .complete && again.content == ours.content, "what was framed is not decoded")
        try require(again.output == ours.output, "framed again: \(shown(again.output)), not \(shown(ours.output))")
        try require(!again.removed.contains(true), "a trailer that may not pass was passed on")
    }
}
