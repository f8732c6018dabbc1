import Containers
import Linux

/// Bytes of a connection, one after the other.
struct DemoStream: ~Copyable {
    enum Failure: Error, Equatable {
        /// The peer ended in the middle of something, or is broken, or too slow.
        case gone
        /// What it sent is not what we speak.
        case malformed
    }

    static let capacity = 64 * 1024
    let connection: BlockingConnection
    var buffer = Buffer(capacity: DemoStream.capacity)

    init(_ connection: consuming BlockingConnection) {
        self.connection = connection
    }

    /// Waits for more bytes; false at the peer's end. The buffer must not be full.
    mutating func receive() throws(Failure) -> Bool {
        if buffer.tailroom == 0 { buffer.slide(headroom: 0) }
        guard buffer.tailroom > 0 else { throw .malformed }
        do {
            return try connection.receive(into: &buffer)
        } catch {
            throw .gone
        }
    }

    mutating func byte() throws(Failure) -> UInt8 {
        if buffer.isEmpty {
            buffer.clear()
            guard try receive() else { throw .gone }
        }
        defer { buffer.dropFirst(1) }
        return buffer[0]
    }

    /// Takes `count` bytes; the first `keep` of them are appended to `kept`.
    mutating func take(_ count: Int, keep: Int, into kept: inout [UInt8]) throws(Failure) {
        var left = count
        var room = keep
        while left > 0 {
            if buffer.isEmpty {
                buffer.clear()
                guard try receive() else { throw .gone }
            }
            let part = min(left, buffer.count)
            let copied = min(part, room)
            for index in 0..<copied { kept.append(buffer[index]) }
            buffer.dropFirst(part)
            room -= copied
            left -= part
        }
    }

    func send(_ bytes: [UInt8]) throws(Failure) {
        do {
            try connection.send(bytes)
        } catch {
            throw .gone
        }
    }

    func send(_ text: String) throws(Failure) { try send(Array(text.utf8)) }

    /// Waits, but no longer than the peer stays; what it sends meanwhile is left for later.
    func pause(milliseconds: Int) throws(Failure) {
        Process.sleep(nanoseconds: Int64(milliseconds) * 1_000_000)
    }
}
