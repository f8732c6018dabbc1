import Config
import Linux
import Middleware
import Testing

@testable import Daemon

@Suite struct ConfigurationLoaderTests {
    private static func temporaryFile(_ text: String) throws -> (path: String, remove: () -> Void) {
        let path = "/tmp/martlet-\(Process.id)-\(Clock.randomSeed()).yaml"
        try FileAccess.replaceFile(path, with: Array(text.utf8))
        return (path, { try? SocketFile.remove(path) })
    }

    private static let text = "listen: 127.0.0.1:0\nroutes: [ { path: /*, upstream: \"http://127.0.0.1:9\" } ]\n"

    @Test("a snapshot gives the same configuration when the file is gone")
    func snapshot() throws {
        let (path, remove) = try Self.temporaryFile(Self.text)
        let loader = ConfigurationLoader()
        guard case .loaded(let first) = loader.load(path: path) else {
            Issue.record("not loaded")
            return
        }
        remove()
        guard case .rejected = loader.load(path: path) else {
            Issue.record("a file that is gone was loaded")
            return
        }
        let carried = try ConfigSnapshot(bytes: first.snapshot.bytes)
        guard case .loaded(let second) = loader.load(carried) else {
            Issue.record("the snapshot was not loaded")
            return
        }
        #expect(second.config == first.config)
        #expect(second.snapshot == first.snapshot)
    }

    @Test("problems come one by one, in a line each with their place, and with the report of `check`")
    func problems() throws {
        let (path, remove) = try Self.temporaryFile("listen: 127.0.0.1:0\nnonsense: 1\nroutes: [ { path: x } ]\n")
        defer { remove() }
        guard case .rejected(let rejected) = ConfigurationLoader().load(path: path) else {
            Issue.record("loaded")
            return
        }
        let problems = rejected.errors
        #expect(problems.count >= 2)
        #expect(problems.first?.hasPrefix("\(path):2:1: error: ") == true)
        #expect(problems.allSatisfy { !$0.contains("\n") })
        #expect(problems.contains { $0.hasSuffix("a path starts with `/` (write /x)") }, "\(problems)")
        #expect(rejected.summary == "\(path): \(problems.count) errors, 0 warnings")
        #expect(rejected.report.hasSuffix("\n\(rejected.summary)\n"))
    }

    @Test("routes that collide make a configuration invalid, and both places are named")
    func collision() throws {
        let text = Self.text + "include: []\n"
        let colliding = text.replacing("routes: [", with: "routes: [ { name: b, path: /*, respond: { status: 204 } },")
        let result = ConfigurationLoader().inspect(text: colliding, name: "a.yaml")
        #expect(result.config == nil)
        #expect(result.report().contains("a.yaml:2:"))
    }

    @Test("routes that collide are told whatever else is wrong, and no collision is made up")
    func collisionBesideOtherProblems() {
        let text = """
            listen: 127.0.0.1:0
            workers: maybe
            middleware: { whole: { rate_limit: 100/s }, wrong: { rate_limit: 10 } }
            routes:
              - { path: "/a/{x}", middleware: [whole, wrong], respond: 200 }
              - { path: "/a/{y}", upstream: nowhere }
              - { path: /dup, respond: 200 }
              - { path: /dup, respond: 201 }
              - { path: "/b/{x}", host: a.example, respond: 200 }
              - { path: "/b/{y}", host: "a b", respond: 200 }
              - { path: "/b/{z}", hsot: b.example, respond: 200 }
              - { path: /go, redirect: { to: "{header.Referer}" } }
              - path: /group
                listeners: [nothing]
                routes: [ { path: "/{x}", respond: 200 }, { path: "/{y}", respond: 200 } ]

            """
        let result = ConfigurationLoader().inspect(text: text, name: "a.yaml")
        #expect(result.config == nil)
        let lines = result.problems.map(\.location.line)
        #expect(lines == [2, 3, 6, 6, 8, 10, 11, 12, 14], "\(result.report())")
        #expect(result.problems.contains { $0.message.hasPrefix("routes `/a/{y}` and `/a/{x}` match the same") })
    }

    @Test("a kind that the program registered may be named")
    func customKind() {
        struct Nothing: Middleware {}
        let text = Self.text + "middleware: { mine: { tenant: { } } }\n"
        #expect(ConfigurationLoader().inspect(text: text, name: "a.yaml").hasErrors)
        var kinds = MiddlewareKinds()
        kinds.register("tenant") { _ in Nothing() }
        let result = ConfigurationLoader(kinds: kinds).inspect(text: text, name: "a.yaml")
        #expect(!result.hasErrors, "\(result.report())")
    }

    @Test("bytes that are no record are refused")
    func noRecord() {
        guard case .rejected = ConfigurationLoader().load(ConfigSnapshot(record: [1, 2, 3])) else {
            Issue.record("loaded")
            return
        }
    }

    @Test(
        "the options of proxy are a valid configuration, whatever they hold",
        arguments: [
            ("127.0.0.1:8080", "http://localhost:9000", true), (":8080", "http://10.0.0.1", true),
            ("unix:/run/x.sock", "unix:/run/y.sock", true), ("127.0.0.1:8080\nworkers: 3", "http://a", false),
            ("127.0.0.1:8080", "\"]", false), ("", "", false),
        ])
    func proxy(from: String, to: String, isValid: Bool) {
        let result = ConfigurationLoader().inspect(text: ProxyCommand.text(from: from, to: to), name: "command line")
        #expect((result.config != nil) == isValid, "\(result.report())")
    }
}
