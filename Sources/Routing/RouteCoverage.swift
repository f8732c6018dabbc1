import Config

/// Whether one route matches every request that another one does, as far as that can be told from what is written.
enum RouteCoverage {
    static func covers(_ front: RouteConfig, _ back: RouteConfig) -> Bool {
        guard
            front.listeners.isEmpty || (!back.listeners.isEmpty && Set(front.listeners).isSuperset(of: back.listeners)),
            // The same patterns, not wider ones: a host's rank depends on the pattern that it matches.
            front.hosts.isEmpty
                ? back.hosts.isEmpty : !back.hosts.isEmpty && Set(front.hosts).isSuperset(of: back.hosts),
            MethodSet(front.methods).isSuperset(of: MethodSet(back.methods)), covers(front.path, back.path)
        else { return false }
        return covers(front.headers, back.headers) && covers(front.query, back.query)
    }

    /// Paths of the same shape.
    private static func covers(_ front: RouteConfig.Path, _ back: RouteConfig.Path) -> Bool {
        zip(front.segments, back.segments).allSatisfy { one, other in
            switch (one, other) {
            case (.literal(let text), .literal(let same)): text == same
            case (.tail, .tail), (.parameter, .parameter), (.parameter, .constrained): true
            case (.constrained(_, let pattern), .parameter): matchesEverySegment(pattern)
            case (.constrained(_, let pattern), .constrained(_, let same)):
                pattern == same || matchesEverySegment(pattern)
            default: false
            }
        }
    }

    private static func matchesEverySegment(_ pattern: RouteConfig.Pattern) -> Bool {
        [".*", ".+", "[^/]*", "[^/]+", "(.*)", "(.+)", "^.*$", "^.+$"].contains(pattern.source)
    }

    private static func covers(_ front: [RouteConfig.NamedCondition], _ back: [RouteConfig.NamedCondition]) -> Bool {
        front.allSatisfy { one in
            back.contains { $0.name == one.name && isImplied(one.condition, by: $0.condition) }
        }
    }

    private static func isImplied(_ condition: RouteConfig.Condition, by other: RouteConfig.Condition) -> Bool {
        switch (condition, other) {
        case (.present(true), .equals), (.present(true), .regex): true
        case (.regex(let pattern), .equals(let text)): RouteOverlap.isFound(pattern, in: text)
        default: condition == other
        }
    }
}
