import Config
import RegularExpression

/// Whether one request can match two routes whose paths have the same kinds of segments.
enum RouteOverlap: Int, Comparable {
    case none
    /// Two different expressions decide, and nothing proves that they exclude each other.
    case possible
    case certain

    static func < (left: RouteOverlap, right: RouteOverlap) -> Bool { left.rawValue < right.rawValue }

    /// - Parameter left: has a host pattern in common with `right`, or both are for any host.
    static func between(_ left: RouteConfig, _ right: RouteConfig) -> RouteOverlap {
        guard shareListener(left, right), !MethodSet(left.methods).isDisjoint(from: MethodSet(right.methods)) else {
            return .none
        }
        var overlap = between(left.path, right.path)
        for pair in commonConditions(left.headers, right.headers) + commonConditions(left.query, right.query) {
            if overlap == .none { break }
            overlap = min(overlap, between(pair.0, pair.1))
        }
        return overlap
    }

    private static func shareListener(_ left: RouteConfig, _ right: RouteConfig) -> Bool {
        left.listeners.isEmpty || right.listeners.isEmpty || left.listeners.contains(where: right.listeners.contains)
    }

    // MARK: Paths

    private static func between(_ left: RouteConfig.Path, _ right: RouteConfig.Path) -> RouteOverlap {
        var overlap = RouteOverlap.certain
        for (one, other) in zip(left.segments, right.segments) {
            guard case .constrained(_, let first) = one, case .constrained(_, let second) = other, first != second
            else { continue }
            overlap = min(overlap, segmentsMatchingBoth(first.expression, second.expression))
        }
        return overlap
    }

    private static func segmentsMatchingBoth(_ left: RegularExpression, _ right: RegularExpression) -> RouteOverlap {
        for sample in samples where left.matchesFully(sample.span) && right.matchesFully(sample.span) {
            return .certain
        }
        return left.isDisjoint(from: right, fully: true) ? .none : .possible
    }

    /// Segments as they are common in paths, to show that two expressions overlap.
    private static let samples: [[UInt8]] = {
        var texts = [
            "new", "me", "a-b", "a_b", "a.b", "ab12", "A1", "v1", "v2", "1.0", "2026-01-31", "x~y", "index.html", "a@b",
        ]
        texts.append("123e4567-e89b-12d3-a456-426614174000")
        for count in 1...20 {
            for text in ["0", "7", "a", "z", "A", "f"] { texts.append(String(repeating: text, count: count)) }
        }
        return texts.map { Array($0.utf8) }
    }()

    // MARK: Conditions

    typealias Pair = (RouteConfig.Condition, RouteConfig.Condition)

    static func commonConditions(_ left: [RouteConfig.NamedCondition], _ right: [RouteConfig.NamedCondition]) -> [Pair]
    {
        left.flatMap { one in right.filter { $0.name == one.name }.map { (one.condition, $0.condition) } }
    }

    private static func between(_ left: RouteConfig.Condition, _ right: RouteConfig.Condition) -> RouteOverlap {
        switch (left, right) {
        case (.equals(let one), .equals(let other)): one == other ? .certain : .none
        case (.present(let one), .present(let other)): one == other ? .certain : .none
        case (.present(let isPresent), _), (_, .present(let isPresent)): isPresent ? .certain : .none
        case (.equals(let text), .regex(let pattern)), (.regex(let pattern), .equals(let text)):
            isFound(pattern, in: text) ? .certain : .none
        case (.regex(let one), .regex(let other)):
            if one == other {
                .certain
            } else {
                one.expression.isDisjoint(from: other.expression, fully: false) ? .none : .possible
            }
        }
    }

    static func isFound(_ pattern: RouteConfig.Pattern, in text: String) -> Bool {
        let bytes = Array(text.utf8)
        return pattern.expression.isFound(in: bytes.span)
    }
}
