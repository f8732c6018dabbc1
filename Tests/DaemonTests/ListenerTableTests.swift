import Linux
import Net
import Testing

@testable import Daemon

@Suite struct ListenerTableTests {
    private static func anyPort(_ listener: String) -> ListenSpec {
        ListenSpec(place: .anyPort(.v4(0x7F00_0001), listener: listener, ordinal: 0))
    }

    private static func connects(_ address: SocketAddress) -> Bool {
        var isPending = false
        guard let socket = try? Socket.connect(to: address, isPending: &isPending) else { return false }
        if isPending { _ = Poll.waitWritable(socket.number, milliseconds: 5_000) }
        return Socket.pendingError(socket.number) == nil && (try? Socket.peerAddress(socket.number)) != nil
    }

    @Test("the same place is the same socket, and closed when no configuration lists it")
    func samePlace() throws {
        var table = ListenerTable(systemd: SystemdSockets())
        let first = try table.open(Self.anyPort("a"))
        let second = try table.open(Self.anyPort("a"))
        let other = try table.open(Self.anyPort("b"))
        #expect(first == second)
        #expect(first != other)
        let address = try Socket.localAddress(first[0])
        #expect(Self.connects(address))
        #expect(table.keep(only: [Self.anyPort("b")]).isEmpty)
        #expect(table.count == 1)
        #expect(!Self.connects(address))
        table.closeAll()
        #expect(table.count == 0)
    }

    @Test("an address that somebody listens on is refused with its name")
    func busy() throws {
        var table = ListenerTable(systemd: SystemdSockets())
        let held = try table.open(Self.anyPort("a"))
        let address = try Socket.localAddress(held[0])
        var other = ListenerTable(systemd: SystemdSockets())
        #expect(throws: BindFailure(description: "cannot listen on \(address): address already in use")) {
            _ = try other.open(ListenSpec(place: .address(address)))
        }
        table.closeAll()
    }

    @Test("a name that systemd did not pass is refused")
    func systemd() {
        var table = ListenerTable(systemd: SystemdSockets())
        #expect(throws: BindFailure.self) { _ = try table.open(ListenSpec(place: .systemd(name: "http"))) }
    }

    @Test("a Unix socket gets its mode, replaces a stale file and is removed at the end")
    func unix() throws {
        let path = "/tmp/martlet-\(Process.id)-\(Clock.randomSeed()).sock"
        let address = SocketAddress.unix(path: path)
        do {
            // A socket whose owner went away without removing the file.
            let stale = try Socket.listen(on: address, backlog: 1)
            Descriptors.close(stale.release())
        }
        #expect(!Self.connects(address))
        var table = ListenerTable(systemd: SystemdSockets())
        let spec = ListenSpec(place: .unix(path: path), mode: 0o600)
        _ = try table.open(spec)
        #expect(Self.connects(address))
        #expect(try SocketFile.mode(path) == 0o600)

        var second = ListenerTable(systemd: SystemdSockets())
        #expect(throws: BindFailure(description: "cannot listen on unix:\(path): address already in use")) {
            _ = try second.open(spec)
        }

        let changed = ListenSpec(place: .unix(path: path), mode: 0o666)
        _ = try table.open(changed)
        #expect(try SocketFile.mode(path) == 0o600)
        #expect(table.keep(only: [changed]).isEmpty)
        #expect(try SocketFile.mode(path) == 0o666)

        table.closeAll()
        #expect(try SocketFile.kind(path) == .nothing)
    }

    @Test("a file that is no socket is never replaced")
    func otherFile() throws {
        var table = ListenerTable(systemd: SystemdSockets())
        #expect(throws: BindFailure.self) { _ = try table.open(ListenSpec(place: .unix(path: "/proc/self/status"))) }
        #expect(try SocketFile.kind("/proc/self/status") == .other)
    }

    @Test("an owner that is no user is refused before anything changes")
    func unknownOwner() throws {
        let path = "/tmp/martlet-\(Process.id)-\(Clock.randomSeed()).sock"
        var table = ListenerTable(systemd: SystemdSockets())
        #expect(throws: BindFailure.self) {
            _ = try table.open(ListenSpec(place: .unix(path: path), owner: "no such user"))
        }
        #expect(try SocketFile.kind(path) == .nothing)
    }

    @Test("a path too long for a socket is refused")
    func longPath() {
        var table = ListenerTable(systemd: SystemdSockets())
        let path = "/tmp/" + String(repeating: "x", count: 200)
        #expect(throws: BindFailure.self) { _ = try table.open(ListenSpec(place: .unix(path: path))) }
    }
}
