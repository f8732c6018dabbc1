import Containers
import HTTP
import HTTP1
import Testing

/// Decodes `pieces` one after the other, as a session would: content is taken out, the rest stays for the next turn.
struct DecodedBody: Equatable {
    var verdict = "more"
    var content: [UInt8] = []
    var rest: [UInt8] = []
    var trailers: [String] = []

    init(_ pieces: [[UInt8]]) {
        var decoder = ChunkedDecoder()
        var section = TrailerSection()
        for piece in pieces {
            if verdict == "ok" {
                rest += piece
                continue
            }
            var buffer = Buffer(capacity: max(1, piece.count) + 40, headroom: 20)
            buffer.append(piece)
            do throws(ChunkedFailure) {
                let progress = try decoder.decode(&buffer, trailers: &section)
                content += (0..<progress.contentCount).map { buffer[$0] }
                rest += (progress.consumed..<buffer.count).map { buffer[$0] }
                if progress.isComplete { verdict = "ok" }
                if !progress.isComplete && progress.consumed != buffer.count { verdict = "bytes left over" }
            } catch {
                verdict = "\(error)"
                break
            }
        }
        for index in 0..<section.count {
            let line = section[index]
            let name = line.name.range.map { section.bytes[$0] }
            let value = line.value.range.map { section.bytes[$0] }
            trailers.append(
                (line.isRemoved ? "-" : "") + String(decoding: name, as: UTF8.self) + "="
                    + String(decoding: value, as: UTF8.self))
        }
    }
}

@Suite struct ChunkedDecoderTests {
    private static func expectation(_ row: Fixture) -> (content: [UInt8], rest: [UInt8]) {
        guard row.verdict == "ok", let slash = row.output.firstIndex(of: UInt8(ascii: "/")) else {
            return (row.output, [])
        }
        return (Array(row.output[..<slash]), Array(row.output[(slash + 1)...]))
    }

    @Test func `Every row of the table gives its content and its rest`() {
        let rows = Fixture.table("chunked.txt")
        #expect(rows.count > 70)
        for row in rows {
            let body = DecodedBody([row.input])
            #expect(body.verdict == row.verdict, "\(row.id)")
            if row.verdict == "ok" || row.verdict == "more" {
                let (content, rest) = Self.expectation(row)
                #expect(
                    body.content == content && body.rest == rest, "\(row.id): \(text(body.content)) \(text(body.rest))")
            }
        }
    }

    @Test func `A body is the same however it is cut`() {
        var random = RandomSource(seed: 7)
        for row in Fixture.table("chunked.txt") {
            let whole = DecodedBody([row.input])
            var cases = cuts(of: row.input).map { [Array(row.input.prefix($0)), Array(row.input.dropFirst($0))] }
            if row.input.count < 20_000 { cases.append(row.input.map { [$0] }) }
            for _ in 0..<10 { cases.append(pieces(of: row.input, &random)) }
            for pieces in cases {
                let body = DecodedBody(pieces)
                #expect(body.verdict == row.verdict, "\(row.id) as \(pieces.count) pieces")
                // What was decoded before a failure depends on the cut; nobody may use it.
                if row.verdict == "ok" || row.verdict == "more" {
                    #expect(body == whole, "\(row.id) as \(pieces.count) pieces")
                }
            }
        }
    }

    @Test func `A breach is reported at the byte that shows it`() {
        for row in Fixture.table("chunked.txt") {
            guard let mark = row.reportedBy else { continue }
            #expect(DecodedBody([Array(row.input.prefix(mark - 1))]).verdict == "more", "\(row.id)")
            #expect(DecodedBody([Array(row.input.prefix(mark))]).verdict == row.verdict, "\(row.id)")
        }
    }

    @Test func `Framed content is decoded to itself`() {
        var random = RandomSource(seed: 11)
        for _ in 0..<200 {
            var content: [UInt8] = []
            var wire: [UInt8] = []
            for _ in 0..<random.below(6) {
                let part = (0..<1 + random.below(random.below(4) == 0 ? 5_000 : 40)).map { _ in
                    UInt8(truncatingIfNeeded: random.next())
                }
                var buffer = Buffer(capacity: part.count + ChunkEncoder.headroom + ChunkEncoder.tailroom, headroom: 18)
                buffer.append(part)
                #expect(holds(ChunkEncoder.frame(&buffer)))
                wire += (0..<buffer.count).map { buffer[$0] }
                content += part
            }
            var last = Buffer(capacity: 10)
            #expect(holds(ChunkEncoder.appendLast(to: &last, trailers: TrailerSection())))
            wire += (0..<last.count).map { last[$0] }
            let body = DecodedBody(pieces(of: wire + [1, 2, 3], &random))
            #expect(body.verdict == "ok" && body.content == content && body.rest == [1, 2, 3])
        }
    }

    @Test func `An empty chunk is never framed, and too little room changes nothing`() {
        var empty = Buffer(capacity: 64, headroom: 32)
        #expect(holds(!ChunkEncoder.frame(&empty)))
        var tight = Buffer(capacity: 64, headroom: 3)
        tight.append(Array(repeating: 65, count: 20))
        #expect(holds(!ChunkEncoder.frame(&tight) && tight.count == 20))
        var exact = Buffer(capacity: 26, headroom: 4)
        exact.append(Array(repeating: 65, count: 20))
        #expect(holds(ChunkEncoder.frame(&exact) && exact.headroom == 0 && exact.tailroom == 0))
    }

    @Test func `Trailers are collected apart from the content, and dangerous ones are marked`() {
        let wire = Array(
            """
            1\r\nx\r\n0\r\nContent-Length: 99\r\nHost: evil\r\nX-Check:  a b \r\nAuthorization: x\r\nSet-Cookie: a\r\n\
            X_User: admin\r\nContent-Encoding: gzip\r\nContent-Digest: sha\r\nX-Forwarded-For: 1\r\n\r\n
            """.utf8)
        let body = DecodedBody([wire])
        #expect(body.verdict == "ok")
        #expect(
            body.trailers == [
                "-Content-Length=99", "-Host=evil", "X-Check=a b", "-Authorization=x", "-Set-Cookie=a", "-X_User=admin",
                "-Content-Encoding=gzip", "Content-Digest=sha", "-X-Forwarded-For=1",
            ])
        #expect(DecodedBody(wire.map { [$0] }) == body)
    }

    @Test func `Trailers that may pass are written behind the last chunk`() throws {
        var decoder = ChunkedDecoder()
        var section = TrailerSection()
        var buffer = Buffer(capacity: 100)
        buffer.append("0\r\nX-A:1\r\nHost: b\r\nX-B:\t2\r\n\r\n")
        let progress = try decoder.decode(&buffer, trailers: &section)
        #expect(progress == ChunkedProgress(contentCount: 0, consumed: buffer.count, isComplete: true))
        var last = Buffer(capacity: 100)
        #expect(holds(ChunkEncoder.appendLast(to: &last, trailers: section)))
        #expect((0..<last.count).map { last[$0] } == Array("0\r\nX-A: 1\r\nX-B: 2\r\n\r\n".utf8))
        section.removeAll()
        #expect(holds(section.isEmpty && section.bytes.isEmpty))
    }

    @Test func `Content that fills the buffer is not moved`() throws {
        var decoder = ChunkedDecoder()
        var section = TrailerSection()
        var buffer = Buffer(capacity: 100, headroom: 10)
        buffer.append("20\r\nhello")
        let progress = try decoder.decode(&buffer, trailers: &section)
        #expect(progress.contentCount == 5 && progress.consumed == 5)
        #expect(buffer.start == 14, "the size line became headroom")
    }
}

/// Random pieces that make up `bytes`; some are empty.
func pieces(of bytes: [UInt8], _ random: inout RandomSource) -> [[UInt8]] {
    var result: [[UInt8]] = []
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = min(rest.count, random.below(random.below(3) == 0 ? 4 : 8_000))
        result.append(Array(rest.prefix(count)))
        rest = rest.dropFirst(count)
    }
    return result
}
