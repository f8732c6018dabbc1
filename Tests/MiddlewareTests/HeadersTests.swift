import Config
import HTTP
import Testing

@testable import Middleware

@Suite struct HeadersTests {
    private static func line(_ name: String, _ segments: Template.Segment...) -> HeaderEdits.Line {
        HeaderEdits.Line(name: name, value: Template(segments: segments, source: ""))
    }

    private static func literal(_ text: String) -> Template.Segment { .literal(Array(text.utf8)) }

    private static func pipeline(_ change: (inout HeadersConfig) -> Void) throws -> Pipeline {
        var config = HeadersConfig()
        change(&config)
        return try Pipeline(.headers(config))
    }

    private static let lines = ["GET / HTTP/1.1", "Cookie: c=1; d=2", "X: x", "x: y", "Keep: k"]

    @Test func `Templates see what the same edits remove, set and add`() async throws {
        let pipeline = try Self.pipeline {
            $0.request.remove = ["cookie"]
            $0.request.set = [
                Self.line("X-C", .variable(.cookie("c"))), Self.line("X", Self.literal("a "), .variable(.header("x"))),
                Self.line("Fixed", Self.literal("f")), Self.line("Seen", .variable(.header("fixed"))),
            ]
            $0.request.add = [Self.line("Keep", .variable(.header("keep")), Self.literal("+"))]
        }
        #expect(
            await pipeline.answer(Self.lines).upstream == [
                "Keep: k", "X-C: 1", "X: a x, y", "Fixed: f", "Seen: ", "Keep: k+",
            ])
    }

    @Test func `Edits that follow see what earlier middleware made`() async throws {
        var first = HeadersConfig()
        first.request.set = [Self.line("X-C", .variable(.cookie("c")))]
        first.request.remove = ["cookie"]
        var second = HeadersConfig()
        second.request.set = [Self.line("X-C", Self.literal("<"), .variable(.header("x-c")), Self.literal(">"))]
        let pipeline = try Pipeline([("first", .headers(first)), ("second", .headers(second))])
        #expect(await pipeline.answer(Self.lines).upstream == ["X: x", "x: y", "Keep: k", "X-C: <1>"])
    }

    @Test func `Of two spellings of a name that is set the later stays`() async throws {
        let pipeline = try Self.pipeline {
            $0.request.set = [Self.line("X-A", Self.literal("1")), Self.line("x_a", .variable(.header("x")))]
        }
        #expect(await pipeline.answer(Self.lines).upstream.suffix(2) == ["Keep: k", "x_a: x, y"])
    }

    @Test func `Templates of responses see the request as it was received`() async throws {
        let pipeline = try Self.pipeline {
            $0.request.remove = ["x", "cookie"]
            $0.response.remove = ["x"]
            $0.response.set = [
                Self.line("X", Self.literal("a "), .variable(.header("x"))), Self.line("C", .variable(.cookie("d"))),
            ]
        }
        #expect(await pipeline.answer(Self.lines).response == ["X: a x, y", "C: 2"])
    }

    @Test func `Lines that do not fit end the request`() async throws {
        let long = String(repeating: "v", count: 9_000)
        let pipeline = try Self.pipeline {
            $0.request.set = [
                Self.line("A", .variable(.header("long"))), Self.line("B", .variable(.header("long"))),
            ]
        }
        let answer = await pipeline.answer(["GET / HTTP/1.1", "Long: \(long)"])
        #expect(answer.status == 503 && answer.reply?.code == .middlewareFailed)
        #expect(await pipeline.answer(["GET / HTTP/1.1", "Long: \(long.prefix(8_000))"]).status == nil)
    }
}
