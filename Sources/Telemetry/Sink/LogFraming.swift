internal import Containers

/// How entries follow one another in a chunk.
enum LogFraming: Sendable {
    /// Each ends with a line feed.
    case lines
    /// Each begins with its length in four bytes, the least significant first; it is one datagram of journald's native
    /// protocol.
    case journal

    /// Bytes of a length.
    static let lengthBytes = 4
    static let identifier: StaticString = "SYSLOG_IDENTIFIER=martlet\n"

    /// Begins an entry of journald; to be ended with `endEntry`. `priority` as in syslog: 3 error … 7 debug.
    static func beginEntry(priority: Int, _ buffer: inout Buffer) -> Int {
        let start = buffer.count
        for _ in 0..<lengthBytes { buffer.append(0) }
        buffer.append("PRIORITY=")
        buffer.append(decimal: priority)
        buffer.append(0x0A)
        buffer.append(identifier)
        return start
    }

    /// Writes the length of the entry that began at `start`.
    static func endEntry(from start: Int, _ buffer: inout Buffer) {
        var length = buffer.count - start - lengthBytes
        for offset in 0..<lengthBytes {
            buffer[start + offset] = UInt8(truncatingIfNeeded: length)
            length >>= 8
        }
    }

    /// The length of the entry at the front; 0 when there is none.
    static func entryLength(_ buffer: borrowing Buffer) -> Int {
        guard buffer.count >= lengthBytes else { return 0 }
        var length = 0
        for offset in 0..<lengthBytes { length |= Int(buffer[offset]) << (8 * offset) }
        return min(length, buffer.count - lengthBytes)
    }
}
