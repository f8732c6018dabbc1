import Testing
import YAML

@testable import Config

/// Whatever the file holds, loading ends with a configuration or with an error, never with a trap.
@Suite struct RobustnessTests {
    static func check(_ bytes: [UInt8]) {
        let result = ConfigLoader.load(
            path: "m.yaml", environment: ["A": "1s"], credentialsDirectory: "/c",
            files: .memory(["m.yaml": bytes, "/c/users-token": Array("t".utf8)]))
        #expect((result.config == nil) == result.hasErrors)
        let report = result.report()
        #expect(report.isEmpty == result.problems.isEmpty)
        #expect(!report.utf8.contains { $0 < 0x20 && $0 != 0x0A && $0 != 0x09 })
    }

    static let design = (try? DiskFile.read(FixturePath.tests + "/Fixtures/valid/design.yaml", limit: 1 << 20)) ?? []

    @Test func everyPrefixOfAFile() {
        #expect(Self.design.count > 1_000)
        for end in stride(from: 0, to: Self.design.count, by: 13) { Self.check(Array(Self.design[..<end])) }
    }

    @Test func changedBytesOfAFile() {
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        func next(_ limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(limit))
        }
        let interesting = Array("{}[]*&!%@`'\"|>:-,#?\\$ \n\t09a/.".utf8) + [0, 0x7F, 0xC3, 0xFF]
        for _ in 0..<200 {
            var bytes = Self.design
            for _ in 0...next(4) { bytes[next(bytes.count)] = interesting[next(interesting.count)] }
            Self.check(bytes)
        }
    }

    @Test func linesTakenOutOrRepeated() {
        let lines = Self.design.split(separator: 0x0A, omittingEmptySubsequences: false).map(Array.init)
        for index in lines.indices {
            var without = lines
            without.remove(at: index)
            Self.check(Array(without.joined(separator: [0x0A])))
            var twice = lines
            twice.insert(lines[index], at: index)
            Self.check(Array(twice.joined(separator: [0x0A])))
        }
    }

    @Test func problemsAreBounded() {
        let routes = (0..<1_500).map { "  - { path: /\($0), upstrem: x }\n" }.joined()
        let result = ConfigLoader.load(text: "listen: 127.0.0.1:1\nroutes:\n" + routes)
        #expect(result.problems.count == ConfigDecoder.problemsMax)
        #expect(result.config == nil)
    }

    @Test func manyRoutesLoad() {
        let routes = (0..<2_000).map { "  - { path: \"/r\($0)/{id}\", upstream: u, methods: [GET] }\n" }.joined()
        let result = ConfigLoader.load(text: "listen: 127.0.0.1:1\nupstreams: { u: http://h }\nroutes:\n" + routes)
        #expect(result.config?.routes.count == 2_000)
    }

    @Test func groupsInsideGroupsThroughAliasesAreBounded() {
        var text = "listen: 127.0.0.1:1\nx-0: &g0 { path: /x, respond: 200 }\n"
        for level in 1...12 {
            text += "x-\(level): &g\(level) { path: /g, routes: [*g\(level - 1), *g\(level - 1)] }\n"
        }
        Self.check(Array((text + "routes: [*g12]\n").utf8))
    }

    @Test func aMissingFileIsAnError() {
        let result = ConfigLoader.load(path: "/nonexistent/martlet.yaml")
        #expect(
            result.report()
                == "/nonexistent/martlet.yaml:1:1: error: cannot read `/nonexistent/martlet.yaml`: no such file\n")
    }

    @Test func controlCharactersAndSecretsAreNotShown() {
        var problem = Problem(at: Location(file: "f", line: 1, column: 4), "m", help: "h", width: 3)
        #expect(
            problem.render { _, _ in "ab\u{1B}cdef" }
                == "f:1:4: error: m\n    1 | ab\u{FFFD}cdef\n      |    ^~~\n      = help: h\n")
        problem.hiddenFrom = 5
        #expect(
            problem.render { _, _ in "abccsecret" } == "f:1:4: error: m\n    1 | abcc…\n      |    ^\n      = help: h\n"
        )
        problem.hiddenFrom = nil
        problem.help = nil
        #expect(problem.render { _, _ in nil } == "f:1:4: error: m\n")
        #expect(problem.render { _, _ in "\tx\ty" } == "f:1:4: error: m\n    1 | \tx\ty\n      | \t \t^\n")
    }
}
