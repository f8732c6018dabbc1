/// Bytes in, bytes out, first in first out.
package struct ByteQueue: Sendable {
    private var bytes: [UInt8] = []
    private var head = 0

    package init() {}

    package var count: Int { bytes.count - head }
    package var isEmpty: Bool { head == bytes.count }

    package mutating func append(_ more: [UInt8]) {
        if head == bytes.count { removeAll() }
        bytes.append(contentsOf: more)
    }

    /// Takes at most `limit` bytes off the front.
    package mutating func take(_ limit: Int) -> [UInt8] {
        let end = head + min(limit, count)
        let taken = Array(bytes[head..<end])
        head = end
        if head == bytes.count {
            removeAll()
        } else if head > 65_536 {
            bytes.removeFirst(head)
            head = 0
        }
        return taken
    }

    package mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        head = 0
    }
}
