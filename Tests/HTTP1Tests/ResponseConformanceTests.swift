import Containers
import HTTP
import HTTP1
import Testing

@Suite struct ResponseConformanceTests {
    /// The verdict in the words of the table, and what goes to the client.
    static func outcome(_ bytes: [UInt8], method: Method) -> (verdict: String, output: [UInt8]) {
        var head = ResponseHead()
        do throws(ResponseFailure) {
            guard try ResponseParser().parse(bytes.span, requestMethod: method, into: &head) else {
                return ("more", [])
            }
        } catch {
            return ("\(error.code)", [])
        }
        var buffer = Buffer(capacity: 131_072)
        let connection: ConnectionOption =
            head.isWebSocketSwitch ? .upgrade : head.framing == .untilClose ? .close : .keepAlive
        do throws(EncoderFailure) {
            let written = try ResponseEncoder.append(
                to: &buffer, bytes: bytes.span, head: head, additions: Span(), framing: head.framing,
                connection: connection, clientMinorVersion: 1, date: Span())
            return (written ? "ok" : "does not fit", (0..<buffer.count).map { buffer[$0] })
        } catch {
            return ("\(error)", [])
        }
    }

    private static func method(of row: Fixture) -> Method { row.id.hasSuffix("-HEAD") ? .head : .get }

    @Test func `Every row of the table gets its verdict and its normal form`() {
        let rows = Fixture.table("responses.txt")
        #expect(rows.count > 60)
        for row in rows {
            let (verdict, output) = Self.outcome(row.input, method: Self.method(of: row))
            #expect(verdict == row.verdict, "\(row.id): \(text(row.input))")
            if row.verdict == "ok" {
                #expect(output == row.output, "\(row.id): \(text(output)) not \(text(row.output))")
            }
        }
    }

    @Test func `A head gets the same verdict wherever it is cut`() {
        for row in Fixture.table("responses.txt") {
            var hasEnded = false
            for count in cuts(of: row.input, marks: row.reportedBy.map { [$0] } ?? []) {
                let (verdict, output) = Self.outcome(Array(row.input.prefix(count)), method: Self.method(of: row))
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
        for row in Fixture.table("responses.txt") where row.verdict == "ok" {
            let (verdict, output) = Self.outcome(row.output, method: Self.method(of: row))
            #expect(verdict == "ok" && output == row.output, "\(row.id): \(verdict) \(text(output))")
        }
    }
}
