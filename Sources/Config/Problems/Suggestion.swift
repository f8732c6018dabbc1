/// "Did you mean": the known name nearest to a mistyped one.
enum Suggestion {
    /// Names longer than this are not compared: the cost is the product of the lengths.
    private static let lengthMax = 64

    /// The nearest of `candidates`, nil when none is near enough to be what was meant.
    static func nearest(to name: String, among candidates: [String]) -> String? {
        let wanted = folded(name)
        guard !wanted.isEmpty, wanted.count <= lengthMax else { return nil }
        let allowed = wanted.count < 6 ? 1 : wanted.count < 9 ? 2 : 3
        var best: (distance: Int, name: String)?
        for candidate in candidates {
            let letters = folded(candidate)
            guard letters.count <= lengthMax, abs(letters.count - wanted.count) <= allowed else { continue }
            let found = distance(wanted, letters)
            guard found <= allowed, found < max(wanted.count, letters.count) else { continue }
            if best.map({ found < $0.distance }) ?? true { best = (found, candidate) }
        }
        return best?.name ?? candidates.first { isLonger(folded($0), wanted) || isLonger(wanted, folded($0)) }
    }

    /// `warn` for `warning`, `least_conn` for `least_requests`.
    private static func isLonger(_ name: [UInt8], _ other: [UInt8]) -> Bool {
        let common = zip(name, other).prefix { $0 == $1 }.count
        return common >= 6 || (common == other.count && common >= 4)
    }

    /// "did you mean `x`?", or the names that would do, or nil when there are none.
    static func help(for name: String, among candidates: [String], kind: String) -> String {
        if let nearest = nearest(to: name, among: candidates) { return "did you mean `\(nearest)`?" }
        guard !candidates.isEmpty else { return "no \(kind) is defined" }
        let shown = candidates.prefix(12).map { "`\($0)`" }.joined(separator: ", ")
        return "\(kind)\(kind == "middleware" ? "" : "s") defined: \(shown)\(candidates.count > 12 ? ", …" : "")"
    }

    /// Case and the kind of dash do not count.
    private static func folded(_ name: String) -> [UInt8] {
        name.utf8.map { byte in
            switch byte {
            case 0x41...0x5A: byte | 0x20
            case 0x2D, 0x20: 0x5F
            default: byte
            }
        }
    }

    /// Insertions, deletions, changes and swaps of neighbours between two names.
    private static func distance(_ first: [UInt8], _ second: [UInt8]) -> Int {
        var beforeLast = [Int](repeating: 0, count: second.count + 1)
        var last = Array(0...second.count)
        for row in 0..<first.count {
            var current = [Int](repeating: row + 1, count: second.count + 1)
            for column in 0..<second.count {
                let change = first[row] == second[column] ? 0 : 1
                var cost = min(current[column] + 1, last[column + 1] + 1, last[column] + change)
                if row > 0, column > 0, first[row] == second[column - 1], first[row - 1] == second[column] {
                    cost = min(cost, beforeLast[column - 1] + 1)
                }
                current[column + 1] = cost
            }
            (beforeLast, last) = (last, current)
        }
        return last[second.count]
    }
}
