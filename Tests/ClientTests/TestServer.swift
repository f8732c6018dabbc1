import Containers
import Linux
import Net
import Synchronization

/// A service on a free port of 127.0.0.1 whose connections a test serves byte by byte, each on a thread of its own. It stays until the
/// process ends, whoever holds it.
final class TestServer: Sendable {
    private final class Shared: Sendable {
        let listener: FileDescriptor
        let connections = Atomic<Int>(0)
        let requests = Mutex<[ReceivedRequest]>([])

        init() throws {
            listener = try Socket.listen(on: .ip(.v4(0x7F00_0001), port: 0), backlog: 64)
        }
    }

    private let shared: Shared
    let port: UInt16

    /// `serve` gets each connection with its number, from 1; the connection is closed when it returns or throws.
    init(_ serve: @escaping @Sendable (inout TestConnection, Int) throws -> Void) throws {
        let shared = try Shared()
        self.shared = shared
        guard case .ip(_, let port) = try Socket.localAddress(shared.listener.number) else {
            throw TestConnection.Broken()
        }
        self.port = port
        try Thread.detach(name: "test-server") {
            while true {
                if Poll.wait([shared.listener.number], milliseconds: nil).isEmpty { continue }
                var peer = SocketAddress.ip(.v4(0), port: 0)
                guard let descriptor = try? Socket.accept(shared.listener.number, peer: &peer).release() else {
                    continue
                }
                let number = shared.connections.wrappingAdd(1, ordering: .relaxed).newValue
                try? Thread.detach(name: "test-conn") {
                    var connection = TestConnection(FileDescriptor(owning: descriptor)) { request in
                        shared.requests.withLock { $0.append(request) }
                    }
                    try? serve(&connection, number)
                }
            }
        }
    }

    /// Answers each request of each connection with the same bytes.
    convenience init(answer: String) throws {
        try self.init { connection, _ in
            while try connection.receive() != nil { try connection.send(answer) }
        }
    }

    var url: String { "http://127.0.0.1:\(port)" }
    /// Connections that were accepted.
    var connections: Int { shared.connections.load(ordering: .relaxed) }
    var requests: [ReceivedRequest] { shared.requests.withLock { $0 } }
}

struct ReceivedRequest: Sendable {
    /// Request line and fields.
    var lines: [String]
    var body: [UInt8]

    var line: String { lines.first ?? "" }
    var text: String { String(decoding: body, as: UTF8.self) }

    func value(_ name: String) -> String? {
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2, parts[0].lowercased() == name.lowercased() {
                return String(parts[1].drop { $0 == " " })
            }
        }
        return nil
    }
}

/// One connection of the service.
struct TestConnection: ~Copyable {
    struct Broken: Error {}

    private let descriptor: FileDescriptor
    private let note: @Sendable (ReceivedRequest) -> Void
    private var pending: [UInt8] = []

    init(_ descriptor: consuming FileDescriptor, note: @escaping @Sendable (ReceivedRequest) -> Void) {
        self.descriptor = descriptor
        self.note = note
    }

    /// The next request with its whole body; nil when the peer has ended or reset the connection.
    mutating func receive() throws -> ReceivedRequest? {
        guard var request = try receiveHead() else { return nil }
        if let text = request.value("content-length"), let length = Int(text) {
            while pending.count < length { guard try more() else { return nil } }
            request.body = Array(pending[..<length])
            pending.removeFirst(length)
        } else if request.value("transfer-encoding") == "chunked" {
            while let size = Int(try textLine(), radix: 16) {
                while pending.count < size + 2 { guard try more() else { return nil } }
                request.body += pending[..<size]
                pending.removeFirst(size + 2)
                if size == 0 { break }
            }
        }
        note(request)
        return request
    }

    mutating func receiveHead() throws -> ReceivedRequest? {
        var lines: [String] = []
        while true {
            while !pending.contains(0x0A) { guard try more() else { return nil } }
            let line = try textLine()
            if line.isEmpty { return ReceivedRequest(lines: lines, body: []) }
            lines.append(line)
        }
    }

    private mutating func textLine() throws -> String {
        while true {
            if let end = pending.firstIndex(of: 0x0A) {
                let line = pending[..<end].filter { $0 != 0x0D }
                pending.removeFirst(end + 1)
                return String(decoding: line, as: UTF8.self)
            }
            guard try more() else { throw Broken() }
        }
    }

    /// Waits for bytes. False: the peer has ended.
    private mutating func more() throws -> Bool {
        var buffer = Buffer(capacity: 65_536)
        while true {
            switch Socket.receive(descriptor.number, into: &buffer, limit: 65_536) {
            case .bytes:
                for index in 0..<buffer.count { pending.append(buffer[index]) }
                return true
            case .end, .failed: return false
            case .wouldBlock: _ = Poll.wait([descriptor.number], milliseconds: nil)
            }
        }
    }

    /// Waits until the peer is gone.
    mutating func waitForEnd() throws { while try more() { pending = [] } }

    /// Sends all of it. `onStall` is told each time when the peer took nothing for 200 ms.
    func send(_ bytes: [UInt8], onStall: () -> Void = {}) throws {
        var buffer = Buffer(capacity: max(1, bytes.count))
        buffer.append(bytes)
        while !buffer.isEmpty {
            switch Socket.send(descriptor.number, buffer) {
            case .bytes(let count): buffer.dropFirst(count)
            case .wouldBlock: if !Poll.waitWritable(descriptor.number, milliseconds: 200) { onStall() }
            case .failed: throw Broken()
            }
        }
    }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    /// Leaves the connection open, without reading, until the test says so.
    func holdOpen(until released: Counter) {
        while released.value == 0 { _ = Poll.wait([], milliseconds: 10) }
    }
}

/// A number that threads and tasks count together.
final class Counter: Sendable {
    private let number = Atomic<Int>(0)
    @discardableResult
    func add(_ count: Int = 1) -> Int { number.wrappingAdd(count, ordering: .relaxed).newValue }
    var value: Int { number.load(ordering: .relaxed) }

    /// Keeps the largest number that was noted.
    func note(_ value: Int) { number.max(value, ordering: .relaxed) }
}
