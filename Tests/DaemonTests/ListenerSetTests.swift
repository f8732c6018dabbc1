import Config
import Testing

@testable import Daemon

@Suite struct ListenerSetTests {
    @Test("the largest set of sockets fits a message to the supervisor")
    func messageSize() {
        let path = "/" + String(repeating: "x", count: 106)
        let owner = String(repeating: "o", count: 32)
        let spec = ListenSpec(place: .unix(path: path), mode: 0o777, owner: owner)
        let specs = [ListenSpec](repeating: spec, count: ListenerSet.limit)
        #expect(GatewayRequest.published(generation: .max, specs).bytes.count <= 128 * 1024)
    }

    @Test("more sockets than the limit are refused, and what was opened is given back")
    func limit() {
        let journal = Journal()
        var binder = FakeBinder(journal: journal)
        let text = (0...ListenerSet.limit).map { "1.0.\($0 / 250).\($0 % 250 + 1):80" }.joined(separator: " ")
        let config = FakeLoader.configuration(text).config
        #expect(throws: BindFailure.self) { try ListenerSet().next(for: config, binder: &binder) }
        #expect(journal.all.last?.hasPrefix("release 1.0.0.1:80 ") == true)
    }

    @Test("what a failed configuration shares with the one in force stays open")
    func failureKeepsShared() throws {
        let journal = Journal()
        var binder = FakeBinder(journal: journal, busy: ["1.0.0.3:80"])
        let first = try ListenerSet().next(for: FakeLoader.configuration("1.0.0.1:80").config, binder: &binder)
        let next = FakeLoader.configuration("1.0.0.1:80 1.0.0.2:80 1.0.0.3:80").config
        #expect(throws: BindFailure.self) { try first.next(for: next, binder: &binder) }
        #expect(journal.all == ["open 1.0.0.1:80", "open 1.0.0.2:80", "busy 1.0.0.3:80", "release 1.0.0.2:80"])
    }
}
