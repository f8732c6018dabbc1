import Linux
import Net
import Synchronization

/// The embedded upstream of `martlet demo`: a thread for each connection, and a limit of them.
final class DemoServer: Sendable {
    /// Connections at once; more wait in the kernel's queue.
    static let connectionsLimit = 1_024
    private static let stack = 256 * 1024
    private static let idleMilliseconds: Int64 = 75_000
    private static let backlog: Int32 = 1_024

    /// Where it really listens.
    let address: SocketAddress
    private let listener: Int32
    private let connections = Atomic<Int>(0)

    init(listeningOn address: SocketAddress) throws(Errno) {
        let socket = try Socket.listen(on: address, backlog: Self.backlog)
        self.address = try Socket.localAddress(socket.number)
        listener = socket.release()
    }

    deinit {
        Descriptors.close(listener)
    }

    /// Serves until a signal comes.
    func run(until signals: borrowing SignalDescriptor) {
        while Poll.wait([signals.number, listener], milliseconds: nil).contains(index: 0) == false {
            acceptOne(milliseconds: 0)
        }
    }

    /// Accepts at most one connection; waits for it no longer than `milliseconds`.
    func acceptOne(milliseconds: Int32? = nil) {
        while connections.load(ordering: .relaxed) >= Self.connectionsLimit { Process.sleep(nanoseconds: 5_000_000) }
        guard !Poll.wait([listener], milliseconds: milliseconds).isEmpty else { return }
        var peer = SocketAddress.ip(.v4(0), port: 0)
        do throws(Errno) {
            let socket = try Socket.accept(listener, peer: &peer).release()
            connections.add(1, ordering: .relaxed)
            do throws(Errno) {
                try Thread.detach(name: "demo", stack: Self.stack) { [self] in
                    let connection = BlockingConnection(
                        FileDescriptor(owning: socket), timeoutMilliseconds: Self.idleMilliseconds)
                    DemoSession.serve(connection)
                    connections.subtract(1, ordering: .relaxed)
                }
            } catch {
                connections.subtract(1, ordering: .relaxed)
                Descriptors.close(socket)
                throw error
            }
        } catch {
            // Out of descriptors or threads: they come back when connections end.
            if error != .again { Process.sleep(nanoseconds: 20_000_000) }
        }
    }
}
