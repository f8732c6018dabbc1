import Config

/// Host patterns to tries: exact names and wildcards in one hash table.
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
    /// Bytes of the longest exact name and of the longest suffix of a wildcard; longer ones need no look-up.
    private var longestExact = 0
    private var longestWildcard = 0

    /// - Parameter roots: the trie of each pattern.
    init(_ roots: [(pattern: RouteConfig.HostPattern, root: Int32)]) {
        for (pattern, root) in roots {
            let (text, isWildcard) = Self.text(of: pattern)
            if isWildcard {
                longestWildcard = max(longestWildcard, text.count)
            } else {
                longestExact = max(longestExact, text.count)
            }
            let hash = WordHash(text.span).value
            entries.append(Entry(hash: hash, text: texts.append(text), isWildcard: isWildcard, root: root))
        }
        fillSlots()
        for index in entries.indices where entries[index].isWildcard {
            let text = entries[index].text
            let bytes = Array(texts.bytes[Int(text.start)..<Int(text.start + text.count)])
            entries[index].shorter = find(bytes.span).wildcard
        }
    }

    private static func text(of pattern: RouteConfig.HostPattern) -> (text: [UInt8], isWildcard: Bool) {
        switch pattern {
        case .exact(let name): (Array(name.utf8), false)
        case .wildcard(let suffix): (Array(suffix.utf8), true)
        }
    }

    private mutating func fillSlots() {
        shift = WordHash.shift(count: entries.count)
        slots = Array(repeating: -1, count: 1 << (64 - shift))
        for (index, entry) in entries.enumerated() {
            var slot = Self.slot(entry.hash, shift)
            while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = Int32(index)
        }
    }

    /// Looks a canonical host up. A wildcard needs at least one label before its suffix.
    @inline(__always)
    func find(_ host: Span<UInt8>) -> Found {
        var found = Found()
        let count = host.count
        if count > 0, count <= longestExact {
            let entry = entry(host, isWildcard: false)
            if entry >= 0 { found.exactRoot = entries[Int(entry)].root }
        }
        if longestWildcard > 0 { found.wildcard = wildcard(host) }
        return found
    }

    /// The longest suffix is looked up first.
    private func wildcard(_ host: Span<UInt8>) -> Int32 {
        var dot = max(1, host.count &- longestWildcard &- 1)
        while dot < host.count {
            if host[dot] == 0x2E {
                let entry = entry(host.extracting(droppingFirst: dot &+ 1), isWildcard: true)
                if entry >= 0 { return entry }
            }
            dot &+= 1
        }
        return -1
    }

    private func entry(_ text: Span<UInt8>, isWildcard: Bool) -> Int32 {
        let hash = WordHash(text).value
        var slot = Self.slot(hash, shift)
        while slots[slot] >= 0 {
            let index = slots[slot]
            let entry = entries[Int(index)]
            if entry.hash == hash, entry.isWildcard == isWildcard, texts.equals(entry.text, text) { return index }
            slot = (slot &+ 1) & (slots.count &- 1)
        }
        return -1
    }

    @inline(__always)
    private static func slot(_ hash: UInt64, _ shift: UInt64) -> Int { Int(truncatingIfNeeded: hash &>> shift) }
}
