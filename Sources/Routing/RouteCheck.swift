package import Config

/// Looks for routes that contradict each other, before a configuration is used.
package enum RouteCheck {
    /// Routes that go beyond the router's limits; pairs of equal rank that one request can match without a difference in
    /// priority (an error, or a warning when only expressions decide and nobody can tell); routes that never match.
    ///
    /// Each route is told once, with the first other route that it collides with. In the order of the routes.
    package static func problems(in routes: [RouteConfig]) -> [Problem] {
        let ranks = routes.map { RouteRank($0) }
        var found = [Problem?](repeating: nil, count: routes.count)
        for (index, route) in routes.enumerated() { found[index] = limitProblem(route) }
        for group in groups(routes) {
            for (place, later) in group.enumerated() {
                for earlier in group[..<place] {
                    compare(routes, ranks, earlier, later, &found)
                }
            }
        }
        return found.compactMap { $0 }
    }

    private static func limitProblem(_ route: RouteConfig) -> Problem? {
        let parameters = route.path.parameterNames.count
        if parameters > Router.parametersLimit {
            return Problem(
                at: route.location,
                "the path of route `\(route.name)` has \(parameters) parameters; at most \(Router.parametersLimit) are possible"
            )
        }
        let segments = route.path.segments.count
        guard segments > Router.segmentsLimit else { return nil }
        return Problem(
            at: route.location,
            "the path of route `\(route.name)` has \(segments) segments; at most \(Router.segmentsLimit) are possible")
    }

    /// What routes must have in common to collide: a host pattern, literal segments and the number of others.
    private struct GroupKey: Hashable {
        let host: RouteConfig.HostPattern?
        let shape: [String?]
        let hasTail: Bool
        let hasTrailingSlash: Bool
    }

    private static func groups(_ routes: [RouteConfig]) -> [[Int]] {
        var places: [GroupKey: Int] = [:]
        var groups: [[Int]] = []
        for (index, route) in routes.enumerated() {
            var hasTail = false
            let shape = route.path.segments.map { segment -> String? in
                switch segment {
                case .literal(let text): return text
                case .parameter, .constrained: return nil
                case .tail:
                    hasTail = true
                    return nil
                }
            }
            let hosts: [RouteConfig.HostPattern?] = route.hosts.isEmpty ? [nil] : Array(Set(route.hosts))
            for host in hosts {
                let key = GroupKey(
                    host: host, shape: shape, hasTail: hasTail,
                    hasTrailingSlash: !hasTail && route.path.hasTrailingSlash)
                if let place = places[key] {
                    groups[place].append(index)
                } else {
                    places[key] = groups.count
                    groups.append([index])
                }
            }
        }
        return groups
    }

    private static func compare(
        _ routes: [RouteConfig], _ ranks: [RouteRank], _ earlier: Int, _ later: Int, _ found: inout [Problem?]
    ) {
        let (one, other) = (routes[earlier], routes[later])
        let isEqual = ranks[earlier] == ranks[later]
        if isEqual, one.priority == other.priority {
            let overlap = RouteOverlap.between(one, other)
            guard overlap != .none, found[later] == nil || isWorse(overlap, found[later]) else { return }
            found[later] = conflict(other, one, overlap)
            return
        }
        let isEarlierFirst = isEqual ? one.priority > other.priority : ranks[earlier].isBefore(ranks[later])
        let (front, back) = isEarlierFirst ? (earlier, later) : (later, earlier)
        guard found[back] == nil, RouteCoverage.covers(routes[front], routes[back]) else { return }
        found[back] = shadow(routes[back], by: routes[front])
    }

    /// An error takes the place of a warning.
    private static func isWorse(_ overlap: RouteOverlap, _ problem: Problem?) -> Bool {
        overlap == .certain && problem?.severity == .warning
    }

    private static func conflict(_ route: RouteConfig, _ other: RouteConfig, _ overlap: RouteOverlap) -> Problem {
        let related = Problem.Related(location: other.location, note: "the other route, `\(other.name)`")
        let help = "give one of them a higher `priority`, or a host, methods or conditions that tell them apart"
        if overlap == .possible {
            return Problem(
                .warning, at: route.location,
                "routes `\(route.name)` and `\(other.name)` may match the same requests, and neither is more specific",
                help: help, related: related)
        }
        let headNote =
            !Set(route.methods).intersection(other.methods).isEmpty || route.methods.isEmpty
            ? "" : " (`GET` also matches HEAD)"
        return Problem(
            at: route.location,
            "routes `\(route.name)` and `\(other.name)` match the same requests\(headNote), and neither is more specific",
            help: help, related: related)
    }

    private static func shadow(_ route: RouteConfig, by other: RouteConfig) -> Problem {
        Problem(
            .warning, at: route.location,
            "route `\(route.name)` can never match: `\(other.name)` is chosen for every request that it matches",
            help: "remove it, or change its `priority`, host, path, methods or conditions",
            related: Problem.Related(location: other.location, note: "the route that is chosen"))
    }
}
