import Config
import Logging
import Testing

@testable import Daemon

/// The life of a serving process, with everything around it played.
@Suite struct GatewayProcessTests {
    private static let a = "1.0.0.1:80"
    private static let b = "1.0.0.2:80"

    private struct Outcome {
        var code: Int32
        var journal: [String]
    }

    private static func live(
        _ first: String, reloads: [String] = [], busy: Set<String> = [], refused: Set<String> = [], looks: Int = 0,
        late: Int = 0, hasFile: Bool = true, keys: [[UInt8]] = [], generation: UInt64 = 0, predecessor: String? = nil,
        _ events: [DemandEvent]
    ) -> Outcome {
        let journal = Journal()
        let engine = FakeEngine(journal: journal)
        engine.refused = refused
        engine.looksUntilDrained = looks
        engine.lateWorkers = late
        engine.allSessionKeys = keys.map { SessionKeys(bytes: $0) }
        let process = GatewayProcess(
            engine: engine, binder: FakeBinder(journal: journal, busy: busy), loader: FakeLoader(reloads),
            source: ScriptedDemands(journal: journal, events), configPath: hasFile ? "martlet.yaml" : nil,
            predecessor: predecessor,
            log: Logger(label: "test") { _ in JournalLog(journal: journal) }, logs: FakeLogs(journal: journal))
        let code = process.run(FakeLoader.configuration(first), generation: generation)
        return Outcome(code: code, journal: journal.all)
    }

    private static let stop = DemandEvent.demands(Demands(stop: true))
    private static let reload = DemandEvent.demands(Demands(reload: true))

    @Test("it binds, starts, publishes, and drains when it is asked to stop")
    func life() {
        let outcome = Self.live("\(Self.a) \(Self.b)", looks: 2, [Self.stop])
        #expect(outcome.code == 0)
        #expect(
            outcome.journal == [
                "log info", "open \(Self.a)", "open \(Self.b)", "engine start \(Self.a) \(Self.b) kept ",
                "published 1 \(Self.a) \(Self.b): \(Self.a) \(Self.b)", "ready", "draining",
                "engine drain 30.0 seconds",
                "engine ended",
            ])
    }

    @Test("an address that is taken ends the start, and nothing was published")
    func busyAtStart() {
        let outcome = Self.live("\(Self.a) \(Self.b)", busy: [Self.b], [])
        #expect(outcome.code == 1)
        #expect(outcome.journal.contains("error: cannot start: cannot listen on \(Self.b): address already in use"))
        #expect(outcome.journal.contains("release \(Self.a)"))
        #expect(!outcome.journal.contains { $0.hasPrefix("published") || $0.hasPrefix("engine start") })
    }

    @Test("a reload opens what is new, keeps the descriptors of what stays, and counts the generation")
    func reload() {
        let outcome = Self.live(
            Self.a, reloads: ["\(Self.a) \(Self.b)", Self.b], [Self.reload, Self.reload, Self.stop])
        #expect(outcome.code == 0)
        #expect(outcome.journal.filter { $0.hasPrefix("open") } == ["open \(Self.a)", "open \(Self.b)"])
        #expect(outcome.journal.contains("engine publish \(Self.a) \(Self.b) kept \(Self.a)"))
        #expect(outcome.journal.contains("published 2 \(Self.a) \(Self.b): \(Self.a) \(Self.b)"))
        #expect(outcome.journal.contains("engine publish \(Self.b) kept \(Self.b)"))
        #expect(outcome.journal.contains("published 3 \(Self.b): \(Self.b)"))
    }

    @Test("a reload is over when the workers serve with it, and says how many do not")
    func lateWorkers() {
        let outcome = Self.live(Self.a, reloads: [Self.b], late: 2, [Self.reload, Self.stop])
        #expect(
            outcome.journal.filter {
                $0.hasPrefix("engine waits") || $0.hasPrefix("published 2") || $0.contains(" yet")
            }
                == [
                    "published 2 \(Self.b): \(Self.b)", "engine waits for its workers",
                    "warning: 2 of the workers do not serve with the new configuration yet",
                ])
    }

    @Test("who asks for a reload is answered when it is over, with what is wrong, and on the way out too")
    func answers() {
        let outcome = Self.live(
            Self.a, reloads: [Self.b, "bad", "\(Self.a) workers=3"],
            [Self.reload, Self.reload, Self.reload, .demands(Demands(stop: true, reload: true)), Self.reload])
        #expect(
            outcome.journal.filter { $0.hasPrefix("answer") || $0.hasPrefix("engine waits") } == [
                "engine waits for its workers", "answer true 2 ", "answer false 2 bad\n",
                "engine waits for its workers", "answer true 3 ",
                "answer false 3 no reload: the gateway is draining\n",
                "answer false 3 no reload: the gateway is draining\n",
            ])
    }

    @Test("an invalid file changes nothing and its problems are logged")
    func badReload() {
        let outcome = Self.live(Self.a, reloads: ["bad"], [Self.reload, Self.stop])
        #expect(outcome.code == 0)
        #expect(outcome.journal.contains { $0 == "error: reload: martlet.yaml:1:1: error: bad" })
        #expect(
            outcome.journal.contains("error: reload failed, nothing changed: martlet.yaml: 1 error, 0 warnings"))
        #expect(outcome.journal.filter { $0.hasPrefix("published") } == ["published 1 \(Self.a): \(Self.a)"])
        #expect(!outcome.journal.contains { $0.hasPrefix("engine publish") })
    }

    @Test("a reload whose address is taken changes nothing")
    func busyReload() {
        let third = "1.0.0.3:80"
        let outcome = Self.live(
            Self.a, reloads: ["\(Self.a) \(third) \(Self.b)", Self.a], busy: [Self.b],
            [Self.reload, Self.reload, Self.stop])
        #expect(outcome.code == 0)
        #expect(outcome.journal.contains("release \(third)"))
        #expect(!outcome.journal.contains { $0.hasPrefix("engine publish") && $0.contains(third) })
        #expect(outcome.journal.contains("engine publish \(Self.a) kept \(Self.a)"))
    }

    @Test("a reload that the engine refuses gives the new sockets back")
    func refusedReload() {
        let outcome = Self.live(
            Self.a, reloads: ["\(Self.a) \(Self.b)", Self.a], refused: [Self.b], [Self.reload, Self.reload, Self.stop])
        #expect(outcome.code == 0)
        #expect(outcome.journal.contains("error: reload failed, nothing changed: the engine refuses"))
        #expect(outcome.journal.contains("release \(Self.b)"))
        #expect(outcome.journal.contains("engine publish \(Self.a) kept \(Self.a)"))
        #expect(outcome.journal.contains("published 2 \(Self.a): \(Self.a)"))
    }

    @Test("a log that cannot be opened makes the reload fail before anything changed")
    func refusedLog() {
        let outcome = Self.live(Self.a, reloads: ["\(Self.b) log=/refused"], [Self.reload, Self.stop])
        #expect(outcome.code == 0)
        #expect(outcome.journal.contains("error: reload failed, nothing changed: permission denied"))
        #expect(outcome.journal.filter { $0.hasPrefix("open") } == ["open \(Self.a)"])
        #expect(outcome.journal.filter { $0.hasPrefix("log ") } == ["log info"])
    }

    @Test("a changed number of workers is warned of, as long as it differs from the start")
    func workers() {
        let outcome = Self.live(
            "\(Self.a) workers=2", reloads: ["\(Self.a) workers=3", "\(Self.a) workers=3", "\(Self.a) workers=2"],
            [Self.reload, Self.reload, Self.reload, Self.stop])
        #expect(outcome.journal.filter { $0.contains("number of workers") }.count == 2)
    }

    @Test("without a file a reload publishes the same again")
    func noFile() {
        let outcome = Self.live(Self.a, hasFile: false, [Self.reload, Self.stop])
        #expect(outcome.journal.contains("published 2 \(Self.a): \(Self.a)"))
    }

    @Test("a restarted process goes on counting generations")
    func generation() {
        let outcome = Self.live(Self.a, reloads: [Self.b], generation: 41, [Self.reload, Self.stop])
        #expect(outcome.journal.contains("published 41 \(Self.a): \(Self.a)"))
        #expect(outcome.journal.contains("published 42 \(Self.b): \(Self.b)"))
    }

    @Test("certificates that expire are warned of once a day, also after a reload")
    func lapses() {
        let idle = DemandEvent.demands(Demands())
        let begin: Int64 = 1_800_000_001
        let expiry = begin + 2 * 86_400
        let outcome = Self.live(
            "\(Self.a) expiry=\(expiry)", reloads: ["\(Self.a) expiry=\(expiry)", Self.a],
            [idle, idle, idle, Self.reload, idle, Self.reload, Self.stop])
        let days = outcome.journal.compactMap { line -> Int64? in
            guard line.hasPrefix("warning: expired at \(expiry), seen at ") else { return nil }
            return line.split(separator: " ").last.flatMap { Int64($0) }.map { ($0 - begin) / 86_400 }
        }
        // The demand for the first reload comes at the end of the fourth day.
        #expect(days == [2, 3, 5])
    }

    @Test("the keys of sessions are handed over before the process serves, and again when they change")
    func sessionKeys() {
        let idle = DemandEvent.demands(Demands())
        let outcome = Self.live(Self.a, keys: [[1], [1], [2], [2]], [idle, idle, idle, Self.stop])
        let steps = outcome.journal.filter { $0 == "ready" || $0.hasPrefix("keep") }
        #expect(steps == ["keep [1]", "ready", "keep [2]"])
    }

    @Test("the log says how the process before ended, where the supervisor's own line does not stand")
    func predecessor() {
        let line = "error: the gateway process before this one was ended by signal 11"
        let file = Self.live("\(Self.a) log=/var/log/x", predecessor: "was ended by signal 11", [Self.stop])
        #expect(file.journal.filter { $0 == line }.count == 1)
        #expect(!Self.live(Self.a, predecessor: "was ended by signal 11", [Self.stop]).journal.contains(line))
    }

    @Test("a second demand to stop ends the drain at once, also before the listeners are closed")
    func secondStop() {
        let late = Self.live(Self.a, looks: 1_000_000, [Self.stop, .demands(Demands()), Self.stop])
        #expect(late.code == 0)
        #expect(late.journal.suffix(4) == ["engine drain 30.0 seconds", "draining", "engine stop", "engine ended"])
        let early = Self.live(Self.a, looks: 1_000_000, [Self.stop, Self.stop])
        #expect(early.code == 0)
        #expect(early.journal.suffix(3) == ["draining", "engine stop", "engine ended"])
        #expect(!early.journal.contains { $0.hasPrefix("engine drain") })
    }

    @Test("while the drain is delayed it still accepts, and a second demand ends that too")
    func delay() {
        let patient = Self.live("\(Self.a) delay=5000", [Self.stop])
        #expect(patient.journal.suffix(3) == ["draining", "engine drain 30.0 seconds", "engine ended"])
        let hasty = Self.live("\(Self.a) delay=5000", [Self.stop, Self.stop])
        #expect(hasty.journal.suffix(3) == ["draining", "engine stop", "engine ended"])
    }

    @Test("SIGQUIT stops at once")
    func quit() {
        let outcome = Self.live(Self.a, [.demands(Demands(stopNow: true))])
        #expect(outcome.code == 0)
        #expect(outcome.journal.suffix(3) == ["draining", "engine stop", "engine ended"])
    }

    @Test("a process whose supervisor is gone ends")
    func orphan() {
        let outcome = Self.live(Self.a, [.holderGone])
        #expect(outcome.code == 1)
        #expect(outcome.journal.suffix(2) == ["engine stop", "engine ended"])
    }

    @Test("stop wins over a reload that came with it, and a drain is not reloaded")
    func stopWins() {
        let outcome = Self.live(
            Self.a, reloads: [Self.b], looks: 3, [.demands(Demands(stop: true, reload: true)), Self.reload])
        #expect(outcome.code == 0)
        #expect(!outcome.journal.contains { $0.hasPrefix("engine publish") })
    }

    @Test("logs are opened anew on demand")
    func reopen() {
        let outcome = Self.live(Self.a, [.demands(Demands(reopenLogs: true)), Self.stop])
        #expect(outcome.journal.contains("logs are opened anew"))
    }
}
