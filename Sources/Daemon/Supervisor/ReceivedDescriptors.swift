import Linux

/// Descriptors that came with a message; those that nobody takes are closed.
struct ReceivedDescriptors: ~Copyable {
    private var numbers: [Int32]

    init(_ numbers: [Int32]) { self.numbers = numbers }

    deinit {
        for number in numbers { Descriptors.close(number) }
    }

    mutating func takeFirst() -> FileDescriptor? {
        numbers.isEmpty ? nil : FileDescriptor(owning: numbers.removeFirst())
    }

    /// All that are left, as plain numbers that belong to the caller now.
    mutating func takeAll() -> [Int32] {
        defer { numbers = [] }
        return numbers
    }
}
