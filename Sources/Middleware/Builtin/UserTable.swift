/// Users and their password hashes, sorted by name in flat memory.
struct UserTable: Sendable {
    private let names: [UInt8]
    private let nameStarts: [Int]
    private let hashes: [String]
    private let hashText: [UInt8]
    private let hashStarts: [Int]

    init(_ users: [String: String]) {
        let sorted = users.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        names = sorted.flatMap { Array($0.key.utf8) }
        nameStarts = sorted.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.key.utf8.count) }
        hashes = sorted.map(\.value)
        hashText = sorted.flatMap { Array($0.value.utf8) }
        hashStarts = sorted.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.value.utf8.count) }
    }

    /// Position of a user; names are compared as bytes.
    func find(_ name: Span<UInt8>) -> Int? {
        var low = 0
        var high = hashes.count
        while low < high {
            let middle = (low + high) / 2
            switch Self.order(self.name(middle), name) {
            case 0: return middle
            case ..<0: low = middle + 1
            default: high = middle
            }
        }
        return nil
    }

    @_lifetime(borrow self)
    func name(_ user: Int) -> Span<UInt8> {
        names.span.extracting(nameStarts[user]..<nameStarts[user + 1])
    }

    @_lifetime(borrow self)
    func hashBytes(_ user: Int) -> Span<UInt8> {
        hashText.span.extracting(hashStarts[user]..<hashStarts[user + 1])
    }

    /// The hash of a user; for nobody that of the first user, so that verifying takes as long.
    func hash(_ user: Int?) -> String {
        if let user { return hashes[user] }
        return hashes.first ?? ""
    }

    private static func order(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Int {
        for index in 0..<min(left.count, right.count) where left[index] != right[index] {
            return Int(left[index]) - Int(right[index])
        }
        return left.count - right.count
    }
}
