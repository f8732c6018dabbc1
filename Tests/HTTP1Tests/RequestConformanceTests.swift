import Containers
import HTTP
import HTTP1
import Testing

@Suite struct RequestConformanceTests {
    /// The verdict in the words of the table, and what goes upstream.
    static func outcome(_ bytes: [UInt8], parser: RequestParser = RequestParser()) -> (verdict: String, output: [UInt8])
    {
        var head = RequestHead()
        do throws(RequestFailure) {
            guard try parser.parse(bytes.span, into: &head) else { return ("more", []) }
        } catch {
            return ("\(error.code)", [])
        }
        var buffer = Buffer(capacity: 131_072)
        do throws(EncoderFailure) {
            let written = try RequestEncoder.append(
                to: &buffer, bytes: bytes.span, head: head, path: bytes.span.extracting(head.path.range),
                host: bytes.span.extracting(head.authority.range), additions: Span(), framing: head.framing,
                upgrade: head.isWebSocketHandshake, sendExpect: head.expectsContinue,
                acceptsTrailers: head.acceptsTrailers)
            return (written ? "ok" : "does not fit", (0..<buffer.count).map { buffer[$0] })
        } catch {
            return ("\(error)", [])
        }
    }

    @Test func `Every row of the table gets its verdict and its normal form`() {
        let rows = Fixture.table("requests.txt")
        #expect(rows.count > 300)
        #expect(Set(rows.map(\.id)).count == rows.count, "ids are unique")
        for row in rows {
            let (verdict, output) = Self.outcome(row.input)
            #expect(verdict == row.verdict, "\(row.id): \(text(row.input))")
            if row.verdict == "ok" {
                #expect(output == row.output, "\(row.id): \(text(output)) not \(text(row.output))")
            }
        }
    }

    @Test func `A head gets the same verdict wherever it is cut`() {
        for row in Fixture.table("requests.txt") {
            var hasEnded = false
            for count in cuts(of: row.input, marks: row.reportedBy.map { [$0] } ?? []) {
                let (verdict, output) = Self.outcome(Array(row.input.prefix(count)))
                if verdict == "more" {
                    #expect(!hasEnded, "\(row.id): unfinished again with \(count) bytes")
                } else {
                    hasEnded = true
                    #expect(verdict == row.verdict, "\(row.id) with \(count) bytes: \(verdict)")
                    if verdict == "ok" { #expect(output == row.output, "\(row.id) with \(count) bytes") }
                }
                if let mark = row.reportedBy {
                    #expect((verdict == "more") == (count < mark), "\(row.id) with \(count) bytes: \(verdict)")
                }
            }
        }
    }

    @Test func `What was written is parsed and written again without a change`() {
        for row in Fixture.table("requests.txt") where row.verdict == "ok" && row.output.count < 20_000 {
            // HTTP/1.0 may come without Host; upstream the engine sets one.
            if row.id == "A11-10" { continue }
            let (verdict, output) = Self.outcome(row.output)
            #expect(verdict == "ok" && output == row.output, "\(row.id): \(verdict) \(text(output))")
        }
    }
}
