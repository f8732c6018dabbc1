import Glibc
import Linux
import Net
import Testing

@Suite struct CongestionControlTests {
    @Test func `sockets of this machine alone take the simplest congestion control, all others the system's`() throws {
        let system = try #require(systemChoice())
        #expect(try listening(.v4(0x7F00_0001)) == "reno")
        #expect(try listening(.v4(0)) == system)
        if (try? listening(.v6(0, 1))) != nil { #expect(try listening(.v6(0, 1)) == "reno") }

        let listener = try Socket.listen(on: .ip(.v4(0x7F00_0001), port: 0), backlog: 4)
        var isPending = false
        let client = try Socket.connect(to: try Socket.localAddress(listener.number), isPending: &isPending)
        #expect(congestionControl(client.number) == "reno")
        var fields = [pollfd(fd: listener.number, events: Int16(POLLIN), revents: 0)]
        // SAFETY: one entry that lives here.
        #expect(unsafe poll(&fields, 1, 10_000) == 1)
        var peer = SocketAddress.unix(path: "")
        let accepted = try Socket.accept(listener.number, peer: &peer)
        #expect(congestionControl(accepted.number) == "reno", "inherited before the connection stood")
    }

    private func listening(_ address: IPAddress) throws -> String {
        let socket = try Socket.listen(on: .ip(address, port: 0), backlog: 4)
        return congestionControl(socket.number)
    }

    private func congestionControl(_ socket: Int32) -> String {
        var name = [UInt8](repeating: 0, count: 16)
        var size = socklen_t(name.count)
        // SAFETY: the call writes at most `size` bytes of the array.
        let result = unsafe getsockopt(socket, Int32(IPPROTO_TCP), TCP_CONGESTION, &name, &size)
        #expect(result == 0)
        return String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
    }

    /// What the kernel gives a socket that asks for nothing.
    private func systemChoice() -> String? {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard socket >= 0 else { return nil }
        defer { close(socket) }
        return congestionControl(socket)
    }
}
