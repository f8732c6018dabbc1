import Containers
import EventLoop
import Linux
import Net
import TLS

/// A driver with real sockets, their peers in the hands of the test, and a record of what happened.
final class DriverScene {
    private var driver: EpollDriver
    private let listener: FileDescriptor
    private let address: SocketAddress
    private let path: String?

    // What the driver said.
    var relayed: [SocketID: Int] = [:]
    var data: [SocketID: [UInt8]] = [:]
    /// Sizes of the buffers of `data`.
    var pieces: [Int] = []
    var followed: Set<SocketID> = []
    var secured: Set<SocketID> = []
    var ended: Set<SocketID> = []
    var failed: Set<SocketID> = []
    var drained: Set<SocketID> = []
    /// Sources that are paused while their destination has something queued, as the engine does it.
    var pausing: [SocketID: SocketID] = [:]

    init(pipes: Int, isUnix: Bool = false, connections: Int = 16) throws {
        Process.ignoreFailedWrites()
        let path = "/tmp/martlet-relay-\(Process.id)-\(Clock.randomSeed()).sock"
        let listener = try Socket.listen(
            on: isUnix ? .unix(path: path) : .ip(.v4(0x7F00_0001), port: 0), backlog: 128)
        address = try Socket.localAddress(listener.number)
        driver = try EpollDriver.make(connections: connections, wake: try Wakeup(), pipes: pipes)
        self.listener = listener
        self.path = isUnix ? path : nil
    }

    deinit {
        if let path { try? SocketFile.remove(path) }
    }

    func connect() throws -> Peer {
        var isPending = false
        let peer = try Socket.connect(to: address, isPending: &isPending)
        _ = Poll.wait([listener.number], milliseconds: 5_000)
        var client = address
        let accepted = try Socket.accept(listener.number, peer: &client)
        guard let socket = driver.adopt(accepted.release()) else { throw Errno.tooManyFiles }
        return Peer(socket: socket, descriptor: peer)
    }

    /// One wait, at most some milliseconds long, and its events.
    func turn() {
        driver.wait(until: Clock.monotonic.advanced(by: 5_000_000))
        while let event = driver.next() { note(event) }
    }

    /// Turns until it is so; false when that takes too long.
    func run(until isDone: () -> Bool) -> Bool {
        for _ in 0..<2_000 {
            if isDone() { return true }
            turn()
        }
        return isDone()
    }

    private func note(_ event: consuming IOEvent) {
        switch consume event {
        case .relayed(let socket, let count, let isFollowed):
            relayed[socket, default: 0] += count
            if isFollowed { followed.insert(socket) }
            if let destination = pausing[socket], driver.queuedBytes(destination) > 0 { driver.pause(socket) }
        case .data(let socket, let buffer):
            data[socket, default: []] += Self.bytes(buffer)
            pieces.append(buffer.count)
            driver.buffers.give(buffer)
        case .secured(let socket): secured.insert(socket)
        case .endOfStream(let socket): ended.insert(socket)
        case .failed(let socket, _): failed.insert(socket)
        case .drained(let socket):
            drained.insert(socket)
            for (source, destination) in pausing where destination == socket { driver.resume(source) }
        default: break
        }
    }

    // MARK: Calls

    func relay(_ source: Peer, _ destination: Peer, _ count: Int, pausing isPausing: Bool = true) -> Bool {
        if isPausing { pausing[source.socket] = destination.socket }
        return driver.relay(from: source.socket, to: destination.socket, count: count)
    }

    func send(_ socket: SocketID, _ bytes: [UInt8]) {
        var buffer = driver.buffers.take(atLeast: bytes.count)
        buffer.append(bytes)
        driver.send(socket, buffer, more: false)
    }

    func sendInTurn(_ socket: SocketID, _ bytes: [UInt8]) {
        var buffer = driver.buffers.take(atLeast: bytes.count)
        buffer.append(bytes)
        driver.sendInTurn(socket, buffer)
    }

    var outstandingBuffers: Int { driver.buffers.outstanding }
    func queuedBytes(_ socket: SocketID) -> Int { driver.queuedBytes(socket) }
    var loadedPipes: Int { driver.loadedPipes }
    func isQuiet(_ socket: SocketID) -> Bool { driver.isQuiet(socket, peek: false) }
    func secure(_ socket: SocketID, _ server: TLSServer) {
        if let stream = TLSStream(server: server) { driver.secure(socket, stream) }
    }
    func shutdownWrite(_ socket: SocketID) { driver.shutdownWrite(socket) }
    func resume(_ socket: SocketID) { driver.resume(socket) }
    func close(_ socket: SocketID) { driver.close(socket) }
}

/// The other end of one of the driver's connections.
final class Peer {
    /// The driver's key of the connection.
    let socket: SocketID
    private var descriptor: FileDescriptor?
    /// What was read.
    private(set) var received: [UInt8] = []
    /// Bytes that the kernel took.
    private(set) var sent = 0

    init(socket: SocketID, descriptor: consuming FileDescriptor) {
        self.socket = socket
        self.descriptor = consume descriptor
    }

    private var number: Int32 { descriptor?.number ?? -1 }

    /// Sends what the kernel takes of the bytes that were not sent yet.
    func write(_ bytes: [UInt8]) {
        guard sent < bytes.count else { return }
        var buffer = Buffer(capacity: 1 << 20)
        buffer.append(Array(bytes[sent...].prefix(1 << 20)))
        if case .bytes(let count) = Socket.send(number, buffer) { sent += count }
    }

    /// Reads what is there; false at the end.
    @discardableResult
    func read() -> Bool {
        while true {
            var buffer = Buffer(capacity: 1 << 20)
            switch Socket.receive(number, into: &buffer, limit: 1 << 20) {
            case .bytes: received += DriverScene.bytes(buffer)
            case .wouldBlock: return true
            case .end, .failed: return false
            }
        }
    }

    func forgetReceived() { received = [] }

    /// Bytes for one more `write`.
    func writeMore(_ bytes: [UInt8]) {
        sent = 0
        write(bytes)
    }

    func end() { Socket.shutdownWrite(number) }

    /// Closes with a reset.
    func abort() { descriptor.take()?.abort() }
}

extension DriverScene {
    static func bytes(_ buffer: borrowing Buffer) -> [UInt8] {
        // SAFETY: the memory is used inside the call alone. (A loop over the span costs the suite 20 s in a debug build.)
        unsafe buffer.withReadable { unsafe Array(UnsafeRawBufferPointer(start: $0, count: $1)) }
    }
}
