import Containers
import DNSStub
import Linux
import Net
import Testing

@testable import DNS

/// Servers have all the time they need; how long verdicts are waited for is what a test says.
private func makeResolver(_ server: StubServer, wait milliseconds: Int64 = 60_000) throws -> Resolver {
    var timing = ResolverTiming()
    timing.timeout = 60_000
    timing.retry = 20_000_000
    timing.firstVerdict = milliseconds * 1_000_000
    return try Resolver(servers: server.address, timing: timing, onChange: { _, _ in })
}

/// Opens what is held when a name was asked for so often.
private func open(_ server: StubServer, _ answers: [String: StubServer.Answer], when name: String) throws {
    try Thread.detach(name: "gate") {
        while server.count(name) == 0 { Process.sleep(nanoseconds: 1_000_000) }
        for (name, answer) in answers { server.set(name, answer) }
    }
}

@Suite("Waiting for first verdicts", .timeLimit(.minutes(2)))
struct FirstVerdictTests {
    @Test("ends when every name has an answer, and the addresses are there")
    func addresses() throws {
        let server = try StubServer()
        defer { server.stop() }
        server.set("a.test", .held)
        server.set("b.test", .addresses(v4: [2]))
        let resolver = try makeResolver(server)
        let names: Set = ["a.test", "b.test", "localhost"]
        resolver.setNames(names)
        try open(server, ["a.test": .addresses(v4: [1])], when: "a.test")
        #expect(resolver.waitForFirstVerdicts(of: names) == [])
        #expect(resolver.addresses(of: "a.test") == [.v4(1)])
        #expect(resolver.addresses(of: "b.test") == [.v4(2)])
        #expect(resolver.addresses(of: "localhost") != nil)
        // Nothing is left to wait for.
        #expect(resolver.waitForFirstVerdicts(of: names) == [])
        resolver.stop()
    }

    @Test("a failure is a verdict", arguments: [StubServer.noName, StubServer.serverFailure, .garbage])
    func failures(answer: StubServer.Answer) throws {
        let server = try StubServer()
        defer { server.stop() }
        server.set("a.test", answer)
        var timing = ResolverTiming()
        // Garbage is no answer: its verdict is that the time is over.
        timing.timeout = 20
        timing.firstVerdict = 60_000_000_000
        let resolver = try Resolver(servers: server.address, timing: timing, onChange: { _, _ in })
        resolver.setNames(["a.test", "a..b"])
        #expect(resolver.waitForFirstVerdicts(of: ["a.test", "a..b"]) == [])
        #expect(resolver.addresses(of: "a.test") == nil)
        resolver.stop()
    }

    @Test("has an end when a server does not answer, and says which names those are")
    func bound() throws {
        let server = try StubServer()
        defer { server.stop() }
        server.set("slow.test", .held)
        server.set("a.test", .addresses(v4: [1]))
        let resolver = try makeResolver(server, wait: 200)
        resolver.setNames(["slow.test", "a.test"])
        let began = Clock.monotonic
        #expect(resolver.waitForFirstVerdicts(of: ["slow.test", "a.test"]).contains("slow.test"))
        let waited = Clock.monotonic.since(began)
        #expect(waited >= 200_000_000)
        // The question itself is given up after three minutes.
        #expect(waited < 30_000_000_000)
        #expect(resolver.addresses(of: "slow.test") == nil)
        resolver.stop()
    }

    @Test("does not take the verdict of a name that was forgotten for one of the same name that is new")
    func again() throws {
        let server = try StubServer()
        defer { server.stop() }
        for round in 1...50 as ClosedRange<UInt32> {
            server.set("a.test", .addresses(v4: [round]))
            let resolver = try makeResolver(server)
            resolver.setNames(["a.test"])
            #expect(resolver.waitForFirstVerdicts(of: ["a.test"]) == [])
            server.set("a.test", .addresses(v4: [round + 1]))
            resolver.setNames([])
            resolver.setNames(["a.test"])
            #expect(resolver.waitForFirstVerdicts(of: ["a.test"]) == [])
            #expect(resolver.addresses(of: "a.test") == [.v4(round + 1)])
            resolver.stop()
        }
    }
}

@Suite struct ResolverTimingTests {
    @Test(
        "a first verdict is waited for beyond one question without an answer, and not as long as until it is given up")
    func bound() {
        let timing = ResolverTiming()
        #expect(timing.firstVerdict > Int64(timing.timeout) * 1_000_000)
        // Each question takes twice as long as the one before.
        #expect(timing.firstVerdict < Int64(timing.timeout) * 1_000_000 * ((1 << Int64(timing.tries)) - 1))
    }
}
