import Containers
import DNSStub
import Linux
import Net
import Synchronization
import Testing

@testable import DNS

/// Keeps what a resolver tells, in order, and lets a test wait for it.
private final class Listener: Sendable {
    enum Event: Equatable, Sendable {
        case addresses(String, [IPAddress])
        case failure(String, ResolutionFailure)
    }

    private let events = Mutex<[Event]>([])

    func note(_ event: Event) { events.withLock { $0.append(event) } }
    var all: [Event] { events.withLock { $0 } }

    func wait(until condition: ([Event]) -> Bool) async -> [Event] {
        while !condition(all), !Task.isCancelled { await Task.yield() }
        return all
    }
}

/// Short lives and retries; a server that answers has all the time it needs.
private func quick(timeout: Int32 = 10_000) -> ResolverTiming {
    var timing = ResolverTiming()
    timing.timeout = timeout
    timing.retry = 20_000_000
    timing.shortestLife = 20_000_000
    return timing
}

private func makeResolver(
    _ server: StubServer, _ listener: Listener, timing: ResolverTiming = quick()
) throws -> Resolver {
    try Resolver(
        servers: server.address, timing: timing, onFailure: { listener.note(.failure($0, $1)) },
        onChange: { listener.note(.addresses($0, $1)) })
}

@Suite("The resolver", .timeLimit(.minutes(2)))
struct ResolverTests {
    @Test("gives the addresses of both families, sorted, each once")
    func addresses() async throws {
        let server = try StubServer()
        defer { server.stop() }
        let v6 = [UInt8](repeating: 0, count: 15) + [1]
        server.set("users.test", .addresses(v4: [0x7F00_0003, 0x7F00_0002, 0x7F00_0003], v6: [v6]))
        let listener = Listener()
        let resolver = try makeResolver(server, listener)
        resolver.setNames(["users.test"])
        let events = await listener.wait { !$0.isEmpty }
        guard case .addresses("users.test", let found)? = events.first else {
            Issue.record("\(events)")
            return
        }
        // A machine without IPv6 leaves the address out that it has no way to.
        #expect(found.filter { $0.bitCount == 32 } == [.v4(0x7F00_0002), .v4(0x7F00_0003)])
        #expect(found.filter { $0.bitCount == 128 } == RoutableAddresses.among(found).filter { $0.bitCount == 128 })
        #expect(resolver.addresses(of: "users.test") == found)
        #expect(resolver.addresses(of: "other.test") == nil)
        resolver.stop()
    }

    @Test("follows aliases")
    func alias() async throws {
        let server = try StubServer()
        defer { server.stop() }
        server.set("www.test", .alias("host.test", v4: [7]))
        let listener = Listener()
        let resolver = try makeResolver(server, listener)
        resolver.setNames(["www.test"])
        #expect(await listener.wait { !$0.isEmpty } == [.addresses("www.test", [.v4(7)])])
        resolver.stop()
    }

    @Test("believes no answer with another id")
    func spoofed() async throws {
        let server = try StubServer()
        defer { server.stop() }
        server.set("a.test", .spoofed(v4: 9))
        let listener = Listener()
        let resolver = try makeResolver(server, listener)
        resolver.setNames(["a.test"])
        #expect(await listener.wait { !$0.isEmpty } == [.addresses("a.test", [.v4(9)])])
        resolver.stop()
    }

    @Test("takes at most 256 addresses of an answer that needs TCP")
    func large() async throws {
        let server = try StubServer()
        defer { server.stop() }
        server.set("many.test", .large(count: 3_000))
        let listener = Listener()
        let resolver = try makeResolver(server, listener)
        resolver.setNames(["many.test"])
        let events = await listener.wait { !$0.isEmpty }
        guard case .addresses(_, let found)? = events.first else {
            Issue.record("\(events)")
            return
        }
        #expect(found.count == 256)
        resolver.stop()
    }

    @Test("asks again when the time to live is over, and tells only what changed")
    func timeToLive() async throws {
        let server = try StubServer()
        defer { server.stop() }
        server.set("a.test", .addresses(v4: [1, 2], ttl: 0))
        let listener = Listener()
        let resolver = try makeResolver(server, listener)
        resolver.setNames(["a.test"])
        _ = await listener.wait { $0.count == 1 }
        let asked = server.count("a.test")
        // The order of an answer says nothing.
        server.set("a.test", .addresses(v4: [2, 1], ttl: 0))
        while server.count("a.test") < asked + 3, !Task.isCancelled { await Task.yield() }
        server.set("a.test", .addresses(v4: [3], ttl: 0))
        #expect(
            await listener.wait { $0.count >= 2 } == [
                .addresses("a.test", [.v4(1), .v4(2)]), .addresses("a.test", [.v4(3)]),
            ])
        resolver.stop()
    }

    @Test("does not ask again before the time to live is over")
    func noNeedlessQuestions() async throws {
        let server = try StubServer()
        defer { server.stop() }
        server.set("slow.test", .addresses(v4: [1], ttl: 300))
        server.set("fast.test", .addresses(v4: [1], ttl: 0))
        let listener = Listener()
        let resolver = try makeResolver(server, listener)
        resolver.setNames(["slow.test", "fast.test"])
        while server.count("fast.test") < 10, !Task.isCancelled { await Task.yield() }
        resolver.setNames(["slow.test", "fast.test", "new.test"])
        while server.count("fast.test") < 20, !Task.isCancelled { await Task.yield() }
        #expect(server.count("slow.test") == 1)
        resolver.stop()
    }

    @Test(
        "keeps the last addresses while servers fail, tells of the failure once, and of new addresses afterwards",
        arguments: [(StubServer.serverFailure, false), (.silence, true), (.garbage, true)]
            as [(StubServer.Answer, Bool)])
    func stale(answer: StubServer.Answer, isTimeout: Bool) async throws {
        let server = try StubServer()
        defer { server.stop() }
        server.set("a.test", .addresses(v4: [1], ttl: 0))
        let listener = Listener()
        let resolver = try makeResolver(server, listener, timing: quick(timeout: isTimeout ? 20 : 10_000))
        resolver.setNames(["a.test"])
        let known = Listener.Event.addresses("a.test", [.v4(1)])
        let before = await listener.wait { $0.contains(known) }.count
        server.set("a.test", answer)
        let asked = server.count("a.test")
        while server.count("a.test") < asked + 8, !Task.isCancelled { await Task.yield() }
        let events = await listener.wait { $0.count > before }
        #expect(events.count == before + 1)
        guard case .failure("a.test", let failure)? = events.last else {
            Issue.record("\(events)")
            return
        }
        #expect(isTimeout ? failure == .timeout : failure != .notFound)
        #expect(resolver.addresses(of: "a.test") == [.v4(1)])
        server.set("a.test", .addresses(v4: [2], ttl: 300))
        _ = await listener.wait { $0.last == .addresses("a.test", [.v4(2)]) }
        resolver.stop()
    }

    @Test("gives up the addresses of a name only when it was said three times in a row that it does not exist")
    func gone() async throws {
        let server = try StubServer()
        defer { server.stop() }
        server.set("a.test", .addresses(v4: [1], ttl: 0))
        let listener = Listener()
        let resolver = try makeResolver(server, listener)
        resolver.setNames(["a.test"])
        _ = await listener.wait { !$0.isEmpty }
        server.set("a.test", StubServer.noName)
        #expect(
            await listener.wait { $0.count >= 3 } == [
                .addresses("a.test", [.v4(1)]), .failure("a.test", .notFound), .addresses("a.test", []),
            ])
        #expect(resolver.addresses(of: "a.test") == [])
        resolver.stop()
    }

    @Test("a name that is not there at first is asked for until it is")
    func later() async throws {
        let server = try StubServer()
        defer { server.stop() }
        let listener = Listener()
        let resolver = try makeResolver(server, listener)
        resolver.setNames(["late.test"])
        _ = await listener.wait { !$0.isEmpty }
        server.set("late.test", .addresses(v4: [5]))
        #expect(
            await listener.wait { $0.count >= 2 } == [
                .failure("late.test", .notFound), .addresses("late.test", [.v4(5)]),
            ])
        resolver.stop()
    }

    @Test("localhost and the hosts file need no server")
    func hosts() async throws {
        let listener = Listener()
        let resolver = try Resolver(
            servers: "127.0.0.1:9", timing: quick(), onChange: { listener.note(.addresses($0, $1)) })
        resolver.setNames(["localhost"])
        let events = await listener.wait { !$0.isEmpty }
        guard case .addresses("localhost", let found)? = events.first else {
            Issue.record("\(events)")
            return
        }
        #expect(found.contains(.v4(0x7F00_0001)))
        #expect(found.allSatisfy { $0.isLoopback })
        resolver.stop()
    }

    @Test("a name that is left out is forgotten, and told of anew when it comes back")
    func names() async throws {
        let server = try StubServer()
        defer { server.stop() }
        server.set("a.test", .addresses(v4: [1]))
        server.set("b.test", .addresses(v4: [2]))
        let listener = Listener()
        let resolver = try makeResolver(server, listener)
        resolver.setNames(["a.test"])
        _ = await listener.wait { $0.count == 1 }
        resolver.setNames(["b.test"])
        _ = await listener.wait { $0.count == 2 }
        #expect(resolver.addresses(of: "a.test") == nil)
        resolver.setNames(["a.test", "b.test"])
        #expect(
            await listener.wait { $0.count >= 3 } == [
                .addresses("a.test", [.v4(1)]), .addresses("b.test", [.v4(2)]), .addresses("a.test", [.v4(1)]),
            ])
        resolver.stop()
    }

    @Test("a name that comes back at once is told of anew, whether its loss was noticed or not")
    func backAtOnce() async throws {
        let server = try StubServer()
        defer { server.stop() }
        server.set("a.test", .addresses(v4: [1]))
        let listener = Listener()
        let resolver = try makeResolver(server, listener)
        for round in 1...50 {
            resolver.setNames(["a.test"])
            let events = await listener.wait { $0.count >= round }
            #expect(events.count == round)
            resolver.setNames([])
        }
        resolver.stop()
    }

    @Test("stopping in the middle of questions leaves nothing behind")
    func stopping() throws {
        let server = try StubServer()
        defer { server.stop() }
        for number in 0..<50 { server.set("n\(number).test", .silence) }
        for _ in 0..<20 {
            let resolver = try makeResolver(server, Listener())
            resolver.setNames(Set((0..<50).map { "n\($0).test" }))
            resolver.stop()
        }
        let dropped = try makeResolver(server, Listener())
        dropped.setNames(["n1.test"])
    }

    @Test(
        "names that are no names are failures, not traps",
        arguments: ["", ".", "a..b", String(repeating: "x", count: 300), "-", "a b"])
    func invalidNames(name: String) async throws {
        let server = try StubServer()
        defer { server.stop() }
        let listener = Listener()
        let resolver = try makeResolver(server, listener)
        resolver.setNames([name])
        let events = await listener.wait { !$0.isEmpty }
        guard case .failure? = events.first else {
            Issue.record("\(events)")
            return
        }
        resolver.stop()
    }
}
