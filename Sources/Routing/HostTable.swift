import Config

/// Host patterns to tries: exact names and wildcards in one hash table over the bytes from the right, so that all suffixes
/// of a host are hashed in one pass.
struct HostTable: Sendable {
    struct Entry: Sendable {
        let hash: UInt64
        let text: ByteTable.Run
        let isWildcard: Bool
        /// Root of the pattern's trie.
        let root: Int32
        /// The entry of the next shorter wildcard that matches wherever this one does; -1 without.
        var shorter: Int32 = -1
    }

    /// What a host finds; -1 for nothing.
    struct Found {
        /// Root of the exact name's trie.
        var exactRoot: Int32 = -1
        /// Entry of the longest wildcard.
        var wildcard: Int32 = -1
    }

    private(set) var entries: [Entry] = []
    private var slots: [Int32] = []
    private var shift: UInt64 = 63
    private var texts = ByteTable()
    private var hasExact = false
    private var hasWildcards = false

    /// - Parameter roots: the trie of each pattern.
    init(_ roots: [(pattern: RouteConfig.HostPattern, root: Int32)]) {
        for (pattern, root) in roots {
            let text: [UInt8]
            let isWildcard: Bool
            switch pattern {
            case .exact(let name): (text, isWildcard) = (Array(name.utf8), false)
            case .wildcard(let suffix): (text, isWildcard) = (Array(suffix.utf8), true)
            }
            var hash = TableHash.seed
            for byte in text.reversed() { hash = TableHash.add(byte, to: hash) }
            entries.append(Entry(hash: hash, text: texts.append(text), isWildcard: isWildcard, root: root))
            if isWildcard { hasWildcards = true } else { hasExact = true }
        }
        fillSlots()
        for index in entries.indices where entries[index].isWildcard {
            let text = entries[index].text
            let bytes = Array(texts.bytes[Int(text.start)..<Int(text.start + text.count)])
            entries[index].shorter = find(bytes.span).wildcard
        }
    }

    private mutating func fillSlots() {
        shift = TableHash.shift(count: entries.count)
        slots = Array(repeating: -1, count: 1 << (64 - shift))
        for (index, entry) in entries.enumerated() {
            var slot = TableHash.slot(entry.hash, shift: shift)
            while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = Int32(index)
        }
    }

    /// Looks a canonical host up. A wildcard needs at least one label before its suffix.
    @inline(__always)
    func find(_ host: Span<UInt8>) -> Found {
        var found = Found()
        guard hasExact || hasWildcards else { return found }
        var hash = TableHash.seed
        var index = host.count
        while index > 0 {
            index &-= 1
            let byte = host[index]
            if byte == 0x2E, hasWildcards, index > 0 {
                let entry = entry(hash, host, index &+ 1, isWildcard: true)
                if entry >= 0 { found.wildcard = entry }
            }
            hash = TableHash.add(byte, to: hash)
        }
        if hasExact {
            let entry = entry(hash, host, 0, isWildcard: false)
            if entry >= 0 { found.exactRoot = entries[Int(entry)].root }
        }
        return found
    }

    private func entry(_ hash: UInt64, _ host: Span<UInt8>, _ start: Int, isWildcard: Bool) -> Int32 {
        var slot = TableHash.slot(hash, shift: shift)
        while slots[slot] >= 0 {
            let index = slots[slot]
            let entry = entries[Int(index)]
            if entry.hash == hash, entry.isWildcard == isWildcard, texts.equals(entry.text, host, start, host.count) {
                return index
            }
            slot = (slot &+ 1) & (slots.count &- 1)
        }
        return -1
    }
}
