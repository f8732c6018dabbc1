import Containers
import Linux

/// Everything that comes until the peer ends.
func readAll(_ connection: borrowing BlockingConnection) throws -> [UInt8] {
    var buffer = Buffer(capacity: 64 * 1024)
    var bytes: [UInt8] = []
    while try connection.receive(into: &buffer) {
        for index in 0..<buffer.count { bytes.append(buffer[index]) }
        buffer.clear()
    }
    return bytes
}
