import Config
import Containers
import Net
import Testing

@testable import Upstream

@Suite("An endpoint's state")
struct EndpointStateTests {
    @Test("two failures in a row do nothing, the third sets it aside for a second")
    func threeFailures() {
        let state = EndpointState(endpoint(1))
        state.noteConnectFailure(now: at(10))
        state.noteConnectFailure(now: at(10))
        #expect(state.isUsable(now: at(10)))
        state.noteConnectFailure(now: at(10))
        #expect(!state.isUsable(now: at(10)))
        #expect(!state.isUsable(now: at(10.999)))
        #expect(state.isUsable(now: at(11)))
    }

    @Test("a success between failures begins the count anew")
    func successResets() {
        let state = EndpointState(endpoint(1))
        for _ in 0..<10 {
            state.noteConnectFailure(now: at(1))
            state.noteConnectFailure(now: at(1))
            state.noteSuccess()
        }
        #expect(!state.isSetAside)
    }

    @Test("each failed trial doubles the back-off, up to thirty seconds")
    func doubling() {
        let state = EndpointState(endpoint(1))
        var now = at(5)
        setAside(state, at: now)
        for backOff: Double in [1, 2, 4, 8, 16, 30, 30, 30] {
            #expect(!state.isUsable(now: now.advanced(by: Int64(backOff * 1e9) - 1)))
            now = now.advanced(by: Int64(backOff * 1e9))
            #expect(state.isUsable(now: now))
            #expect(state.claim(now: now))
            state.noteConnectFailure(now: now)
        }
    }

    @Test("only one request gets the trial; when it comes to nothing, another follows after the same time")
    func oneTrial() {
        let state = EndpointState(endpoint(1))
        setAside(state, at: at(1))
        #expect(!state.claim(now: at(1.5)))
        #expect(state.claim(now: at(2)))
        #expect(!state.claim(now: at(2)))
        #expect(!state.isUsable(now: at(2.9)))
        #expect(state.claim(now: at(3)))
    }

    @Test("a successful trial makes it usable as if nothing had been")
    func recovery() {
        let state = EndpointState(endpoint(1))
        setAside(state, at: at(1))
        #expect(state.claim(now: at(2)))
        state.noteConnectFailure(now: at(2))
        #expect(state.claim(now: at(4)))
        state.noteSuccess()
        #expect(!state.isSetAside)
        #expect(state.claim(now: at(4)))
        setAside(state, at: at(5))
        #expect(state.isUsable(now: at(6)), "the back-off begins at one second again")
    }

    @Test("failures of attempts that were under way already do not lengthen the back-off")
    func lateFailures() {
        let state = EndpointState(endpoint(1))
        setAside(state, at: at(1))
        for _ in 0..<20 { state.noteConnectFailure(now: at(1.5)) }
        #expect(state.isUsable(now: at(2)))
    }

    @Test("at time zero it can be set aside as well")
    func timeZero() {
        let state = EndpointState(endpoint(1))
        setAside(state, at: Instant(nanoseconds: -EndpointState.shortestBackOff))
        #expect(state.isSetAside)
    }

    @Test("a name without addresses is unusable, with some it is usable, and without again it is not")
    func names() {
        let state = EndpointState(named("users.internal", port: 9_000))
        #expect(!state.isUsable(now: at(1)))
        state.setAddresses([.v4(1), .v4(2)])
        #expect(state.isUsable(now: at(1)))
        #expect(state.currentAddresses().addresses == [.ip(.v4(1), port: 9_000), .ip(.v4(2), port: 9_000)])
        state.setAddresses([])
        #expect(!state.isUsable(now: at(1)))
    }

    @Test("the generation changes with the addresses and only with them")
    func generation() {
        let state = EndpointState(named("a"))
        let first = state.addressGeneration
        state.setAddresses([.v4(1)])
        let second = state.addressGeneration
        state.setAddresses([.v4(1)])
        #expect(second != first)
        #expect(state.addressGeneration == second)
        state.setAddresses([.v4(2)])
        #expect(state.addressGeneration != second)
    }

    @Test("an address cursor takes the addresses in turn and follows changes")
    func cursor() {
        let state = EndpointState(named("a"))
        var cursor = AddressCursor(start: 1)
        #expect(cursor.next(state) == nil)
        state.setAddresses([.v4(1), .v4(2), .v4(3)])
        #expect(cursor.next(state) == .ip(.v4(2), port: 80))
        #expect(cursor.next(state) == .ip(.v4(3), port: 80))
        #expect(cursor.next(state) == .ip(.v4(1), port: 80))
        #expect(cursor.count(state) == 3)
        state.setAddresses([.v6(0, 1)])
        #expect(cursor.count(state) == 1)
        #expect(cursor.next(state) == .ip(.v6(0, 1), port: 80))
        state.setAddresses([])
        #expect(cursor.next(state) == nil)
    }

    @Test("an address or a socket path is its own address and takes none from a resolver")
    func fixedAddresses() {
        let path = EndpointState(
            UpstreamConfig.Endpoint(url: "unix:/run/x", target: .unix(path: "/run/x"), authority: "localhost"))
        var cursor = AddressCursor(start: 9)
        #expect(cursor.next(path) == .unix(path: "/run/x"))
        path.setAddresses([.v4(1)])
        #expect(cursor.next(path) == .unix(path: "/run/x"))
    }
}
