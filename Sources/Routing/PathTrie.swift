/// Tries of path segments, flat: nodes refer to children and candidates by place. One for each host pattern, all in the
/// same arrays.
struct PathTrie: Sendable {
    /// A run of places in another array.
    struct Places: Sendable {
        var start: Int32 = 0
        var count: Int32 = 0
    }

    struct Node: Sendable {
        /// The least order among the candidates here and below.
        var best = Int32.max
        var hasLiterals = false
        /// Child for a segment that is not empty; -1 without.
        var parameter: Int32 = -1
        /// Children for segments that match an expression, in `constrained`.
        var constrained = Places()
        /// Candidates when the path ends here without a slash, ends here with one, goes on in any way; in `candidates`.
        var exact = Places()
        var slash = Places()
        var tail = Places()

        var hasChildren: Bool { hasLiterals || parameter >= 0 || constrained.count > 0 }
    }

    struct Constrained: Sendable {
        let pattern: Int32
        let child: Int32
    }

    /// A literal child: the table's key is the parent and the bytes.
    struct Edge: Sendable {
        /// -1 in a free slot.
        var parent: Int32 = -1
        var child: Int32 = -1
        var text = ByteTable.Run(start: 0, count: 0)
        /// The first eight bytes of the text, as `ScannedSegment.first`.
        var first: UInt64 = 0
    }

    /// A route at the end of a path.
    struct Candidate: Sendable {
        /// Place among all routes by rank: the least that matches wins.
        let order: Int32
        let route: Int32
        let methodBits: UInt16
        /// Tokens in `methodTokens`.
        let methodTokens: Places
        /// In `RouteConditions.conditions`.
        let conditions: Places
    }

    var nodes: [Node] = []
    var constrained: [Constrained] = []
    var candidates: [Candidate] = []
    var methodTokens: [ByteTable.Run] = []
    var texts = ByteTable()
    private var edges: [Edge] = [Edge(), Edge()]
    private var shift: UInt64 = 63

    /// Puts literal children into the table; called once, when all are known.
    mutating func setEdges(_ list: [(parent: Int32, child: Int32, text: [UInt8])]) {
        shift = WordHash.shift(count: list.count)
        edges = Array(repeating: Edge(), count: 1 << (64 - shift))
        for (parent, child, text) in list {
            let scanned = ScannedSegment(text.span, from: 0)
            var slot = slot(Int(parent), scanned.hash)
            while edges[slot].parent >= 0 { slot = (slot + 1) & (edges.count - 1) }
            edges[slot] = Edge(parent: parent, child: child, text: texts.append(text), first: scanned.first)
            nodes[Int(parent)].hasLiterals = true
        }
    }

    @inline(__always)
    private func slot(_ node: Int, _ hash: WordHash) -> Int {
        var hash = hash
        hash.add(UInt64(truncatingIfNeeded: node))
        return hash.slot(shift: shift)
    }

    /// The literal child for the segment from `start` on; -1 without.
    @inline(__always)
    func literalChild(of node: Int, _ path: Span<UInt8>, _ start: Int, _ segment: ScannedSegment) -> Int32 {
        var slot = slot(node, segment.hash)
        while true {
            let edge = edges[slot]
            if edge.parent < 0 { return -1 }
            if Int(edge.parent) == node, edge.first == segment.first,
                texts.equals(edge.text, path.extracting(start..<segment.end), known: 8)
            {
                return edge.child
            }
            slot = (slot &+ 1) & (edges.count &- 1)
        }
    }
}
