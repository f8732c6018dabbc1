import Containers
import HTTP
import HTTP1
import Testing

/// Random and mutated bytes: nothing may trap, and the invariants of the forwarding normal form hold for whatever is
/// accepted.
@Suite struct FuzzSmokeTests {
    private static let seeds = ["requests.txt", "responses.txt", "chunked.txt"].map { Fixture.table($0) }

    /// Bytes that mean something to a parser, so that mutations reach it.
    private static let spice = Array("\r\n\t :,;=%?#/*@[]0159afAFxX\0\u{7F}".utf8) + [0x80, 0xFF]

    private static func mutated(_ table: Int, _ random: inout RandomSource) -> [UInt8] {
        let row = seeds[table][random.below(seeds[table].count)]
        var bytes = Array(row.input.prefix(600))
        for _ in 0...random.below(4) {
            let at = random.below(bytes.count + 1)
            switch random.below(4) {
            case 0: bytes.insert(spice[random.below(spice.count)], at: at)
            case 1 where at < bytes.count: bytes.remove(at: at)
            case 2 where at < bytes.count: bytes[at] = spice[random.below(spice.count)]
            case 3 where at < bytes.count: bytes[at] = UInt8(truncatingIfNeeded: random.next())
            default: bytes.append(UInt8(truncatingIfNeeded: random.next()))
            }
        }
        return bytes
    }

    @Test func `Mutated requests never trap, and what is accepted is written in normal form`() {
        var random = RandomSource(seed: 1)
        var accepted = 0
        for _ in 0..<6_000 {
            let bytes = Self.mutated(0, &random)
            let (verdict, output) = RequestConformanceTests.outcome(bytes)
            guard verdict == "ok" else { continue }
            accepted += 1
            if output.starts(with: "GET ".utf8) && output.count < 30 { continue }
            let again = RequestConformanceTests.outcome(output)
            // Only an HTTP/1.0 request may come without a Host, and then the line is empty here.
            let hasNoHost = output.split(separator: 10).contains(Array("Host: \r".utf8)[...])
            #expect(hasNoHost || (again.verdict == "ok" && again.output == output), "\(text(bytes)) \(text(output))")
        }
        #expect(accepted > 100)
    }

    @Test func `Mutated responses never trap, and what is accepted is written in normal form`() {
        var random = RandomSource(seed: 2)
        var accepted = 0
        for _ in 0..<6_000 {
            let bytes = Self.mutated(1, &random)
            let (verdict, output) = ResponseConformanceTests.outcome(bytes, method: .get)
            guard verdict == "ok" else { continue }
            accepted += 1
            let again = ResponseConformanceTests.outcome(output, method: .get)
            #expect(again.verdict == "ok" && again.output == output, "\(text(bytes)) \(text(output))")
        }
        #expect(accepted > 100)
    }

    @Test func `Mutated bodies never trap and do not depend on the cut`() {
        var random = RandomSource(seed: 3)
        var accepted = 0
        for _ in 0..<6_000 {
            let bytes = Self.mutated(2, &random)
            let whole = DecodedBody([bytes])
            let cut = DecodedBody(pieces(of: bytes, &random))
            #expect(whole.verdict == cut.verdict, "\(text(bytes))")
            if whole.verdict == "ok" || whole.verdict == "more" { #expect(whole == cut, "\(text(bytes))") }
            if whole.verdict == "ok" { accepted += 1 }
        }
        #expect(accepted > 100)
    }

    @Test func `Random bytes never trap`() {
        var random = RandomSource(seed: 4)
        for _ in 0..<6_000 {
            let bytes = (0..<random.below(80)).map { _ in
                random.below(3) == 0
                    ? Self.spice[random.below(Self.spice.count)] : UInt8(truncatingIfNeeded: random.next())
            }
            let prefixes: [String] = ["", "GET /", "GET / HTTP/1.1\r\n", "HTTP/1.1 200 ", "HTTP/1.1 200 OK\r\nA: "]
            let prefixed = Array(prefixes[random.below(prefixes.count)].utf8) + bytes
            _ = RequestConformanceTests.outcome(prefixed)
            _ = ResponseConformanceTests.outcome(prefixed, method: .get)
            _ = DecodedBody([bytes])
        }
    }
}
