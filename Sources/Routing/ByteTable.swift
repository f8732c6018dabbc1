import HTTP

/// Runs of bytes that a table refers to by place, one behind the other.
struct ByteTable: Sendable {
    struct Run: Sendable {
        let start: UInt32
        let count: UInt32
    }

    private(set) var bytes: [UInt8] = []

    mutating func append(_ run: some Collection<UInt8>) -> Run {
        let start = bytes.count
        bytes.append(contentsOf: run)
        return Run(start: UInt32(start), count: UInt32(run.count))
    }

    /// Whether `span` has the same bytes as `run`. The first `known` bytes are the same for certain.
    @inline(__always)
    func equals(_ run: Run, _ span: Span<UInt8>, known: Int = 0) -> Bool {
        let start = Int(run.start)
        let count = span.count
        guard count == Int(run.count) else { return false }
        var index = known
        while index < count {
            if span[index] != bytes[start &+ index] { return false }
            index &+= 1
        }
        return true
    }
}
