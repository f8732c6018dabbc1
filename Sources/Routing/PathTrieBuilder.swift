import Config

/// Builds the tries: grows nodes with lists, then lays everything out flat.
struct PathTrieBuilder {
    private struct Growing {
        var parameter: Int32 = -1
        var constrained: [(source: String, child: Int32)] = []
        var exact: [Int32] = []
        var slash: [Int32] = []
        var tail: [Int32] = []
    }

    private struct EdgeKey: Hashable {
        let parent: Int32
        let text: String
    }

    private var nodes: [Growing] = []
    private var edges: [EdgeKey: Int32] = [:]
    private var patternPlaces: [String: Int32] = [:]
    private var patterns: [RouteConfig.Pattern] = []

    mutating func addRoot() -> Int32 { addNode() }

    private mutating func addNode() -> Int32 {
        nodes.append(Growing())
        return Int32(nodes.count - 1)
    }

    /// - Parameter order: the route's place by rank; its candidate is found by it later.
    mutating func insert(_ path: RouteConfig.Path, under root: Int32, order: Int32) {
        var node = root
        for segment in path.segments {
            switch segment {
            case .literal(let text): node = literalChild(of: node, text)
            case .constrained(_, let pattern): node = constrainedChild(of: node, pattern)
            case .parameter: node = parameterChild(of: node)
            case .tail:
                nodes[Int(node)].tail.append(order)
                return
            }
        }
        if path.hasTrailingSlash {
            nodes[Int(node)].slash.append(order)
        } else {
            nodes[Int(node)].exact.append(order)
        }
    }

    private mutating func literalChild(of node: Int32, _ text: String) -> Int32 {
        let key = EdgeKey(parent: node, text: text)
        if let child = edges[key] { return child }
        let child = addNode()
        edges[key] = child
        return child
    }

    private mutating func constrainedChild(of node: Int32, _ pattern: RouteConfig.Pattern) -> Int32 {
        if let known = nodes[Int(node)].constrained.first(where: { $0.source == pattern.source }) { return known.child }
        let child = addNode()
        nodes[Int(node)].constrained.append((pattern.source, child))
        if patternPlaces[pattern.source] == nil {
            patternPlaces[pattern.source] = Int32(patterns.count)
            patterns.append(pattern)
        }
        return child
    }

    private mutating func parameterChild(of node: Int32) -> Int32 {
        if nodes[Int(node)].parameter >= 0 { return nodes[Int(node)].parameter }
        let child = addNode()
        nodes[Int(node)].parameter = child
        return child
    }

    /// - Parameter candidate: makes the candidate of a route by its order; told to append to the trie's arrays.
    func build(
        candidate: (_ order: Int32, _ trie: inout PathTrie) -> PathTrie.Candidate
    ) -> (trie: PathTrie, patterns: [RouteConfig.Pattern]) {
        var trie = PathTrie()
        for growing in nodes {
            var node = PathTrie.Node()
            node.parameter = growing.parameter
            node.constrained.start = Int32(trie.constrained.count)
            for (source, child) in growing.constrained {
                guard let pattern = patternPlaces[source] else { continue }
                trie.constrained.append(PathTrie.Constrained(pattern: pattern, child: child))
            }
            node.constrained.count = Int32(trie.constrained.count) - node.constrained.start
            func places(_ orders: [Int32]) -> PathTrie.Places {
                let start = Int32(trie.candidates.count)
                for order in orders.sorted() {
                    let made = candidate(order, &trie)
                    trie.candidates.append(made)
                    node.best = min(node.best, order)
                }
                return PathTrie.Places(start: start, count: Int32(orders.count))
            }
            node.exact = places(growing.exact)
            node.slash = places(growing.slash)
            node.tail = places(growing.tail)
            trie.nodes.append(node)
        }
        trie.setEdges(
            edges.sorted { $0.value < $1.value }.map {
                (parent: $0.key.parent, child: $0.value, text: Array($0.key.text.utf8))
            })
        setBest(&trie)
        return (trie, patterns)
    }

    /// Children were made behind their parents: from the last node to the first, each is finished before its parent.
    private func setBest(_ trie: inout PathTrie) {
        var parents = [Int32](repeating: -1, count: nodes.count)
        for (key, child) in edges { parents[Int(child)] = key.parent }
        for (index, node) in nodes.enumerated() {
            if node.parameter >= 0 { parents[Int(node.parameter)] = Int32(index) }
            for (_, child) in node.constrained { parents[Int(child)] = Int32(index) }
        }
        for index in nodes.indices.reversed() where parents[index] >= 0 {
            let parent = Int(parents[index])
            trie.nodes[parent].best = min(trie.nodes[parent].best, trie.nodes[index].best)
        }
    }
}
