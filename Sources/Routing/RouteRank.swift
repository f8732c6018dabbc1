import Config

/// How specific a route is, its hosts aside: what decides between routes that match the same request.
///
/// Segment by segment from the front (literal, constrained, parameter, end of the path, tail: the same kinds in front, a
/// longer path is before a shorter one), then methods given before not, then the number of conditions.
struct RouteRank: Equatable, Sendable {
    enum Kind: UInt8, Sendable { case literal, constrained, parameter, end, tail }

    let kinds: [UInt8]
    let hasMethods: Bool
    let conditionCount: Int

    init(_ route: RouteConfig) {
        var kinds: [UInt8] = []
        for segment in route.path.segments {
            switch segment {
            case .literal: kinds.append(Kind.literal.rawValue)
            case .constrained: kinds.append(Kind.constrained.rawValue)
            case .parameter: kinds.append(Kind.parameter.rawValue)
            case .tail: kinds.append(Kind.tail.rawValue)
            }
        }
        if kinds.last != Kind.tail.rawValue { kinds.append(Kind.end.rawValue) }
        self.kinds = kinds
        hasMethods = !route.methods.isEmpty
        conditionCount = route.headers.count + route.query.count
    }

    func isBefore(_ other: RouteRank) -> Bool {
        if kinds != other.kinds { return kinds.lexicographicallyPrecedes(other.kinds) }
        if hasMethods != other.hasMethods { return hasMethods }
        return conditionCount > other.conditionCount
    }

    /// Positions of `routes`, the most specific first; between equals the higher priority, then the earlier one.
    static func order(_ routes: [(position: Int, route: RouteConfig)]) -> [Int] {
        let ranked = routes.map { (position: $0.position, rank: RouteRank($0.route), priority: $0.route.priority) }
        let sorted = ranked.sorted { left, right in
            if left.rank != right.rank { return left.rank.isBefore(right.rank) }
            if left.priority != right.priority { return left.priority > right.priority }
            return left.position < right.position
        }
        return sorted.map(\.position)
    }
}
