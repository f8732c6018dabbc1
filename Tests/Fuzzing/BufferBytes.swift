import Containers

extension Buffer {
    /// A copy of the readable bytes.
    borrowing func copiedBytes() -> [UInt8] { Array(copying: span) }
}

extension Array where Element == UInt8 {
    init(copying span: Span<UInt8>) {
        self.init()
        reserveCapacity(span.count)
        for index in span.indices { append(span[index]) }
    }
}
