private import Digest

/// Identities by SHA-256 digest: an open-addressing table over flat memory, which is never written after it was made.
struct DigestTable: Sendable {
    /// Positions of entries, -1 where there is none; a power of two, at most half full.
    private let slots: [Int32]
    private let digests: [UInt8]
    private let names: [UInt8]
    /// Where an entry's name begins; one more than there are entries.
    private let nameStarts: [Int]

    init(_ keys: [[UInt8]: String]) {
        let entries = keys.filter { $0.key.count == 32 }.sorted { $0.key.lexicographicallyPrecedes($1.key) }
        var size = 8
        while size < entries.count * 2 { size *= 2 }
        var slots = [Int32](repeating: -1, count: size)
        for (position, entry) in entries.enumerated() {
            var index = Self.start(entry.key.span) & (size - 1)
            while slots[index] >= 0 { index = (index + 1) & (size - 1) }
            slots[index] = Int32(truncatingIfNeeded: position)
        }
        self.slots = slots
        digests = entries.flatMap(\.key)
        names = entries.flatMap { Array($0.value.utf8) }
        nameStarts = entries.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.value.utf8.count) }
    }

    /// Position of a digest. Where it is looked for depends on the digest, of which nothing about a key can be learnt;
    /// the comparison itself takes the same time for every content.
    func find(_ digest: InlineArray<32, UInt8>) -> Int? {
        let wanted = digest.span
        var index = Self.start(wanted) & (slots.count - 1)
        while slots[index] >= 0 {
            let position = Int(slots[index])
            if ConstantTime.equals(digests.span.extracting((position * 32)..<(position * 32 + 32)), wanted) {
                return position
            }
            index = (index + 1) & (slots.count - 1)
        }
        return nil
    }

    /// The identity at a position that `find` gave.
    @_lifetime(borrow self)
    func identity(_ position: Int) -> Span<UInt8> {
        names.span.extracting(nameStarts[position]..<nameStarts[position + 1])
    }

    private static func start(_ digest: Span<UInt8>) -> Int {
        var word = 0
        for index in 0..<7 { word = word << 8 | Int(digest[index]) }
        return word
    }
}
