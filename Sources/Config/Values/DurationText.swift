/// Durations as the file writes them: `250ms`, `30s`, `1m30s`, `12h`.
enum DurationText {
    /// Longest first, so that `ms` is not read as `m`.
    private static let units: [(name: String, nanoseconds: Int64)] = [
        ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000),
        ("ms", 1_000_000), ("us", 1_000),
    ]

    static func parse(_ text: String) throws(TextFailure) -> Duration {
        let compact = text.filter { $0 != " " }
        guard let nanoseconds = total(compact) else { throw failure(text, compact) }
        guard compact == text else {
            throw TextFailure("`\(text)` has a space in it", help: "write \(compact)")
        }
        return .nanoseconds(nanoseconds)
    }

    /// Nil when the text is no duration, or longer than 100 years.
    private static func total(_ text: String) -> Int64? {
        var rest = Substring(text)
        var sum: Int64 = 0
        var last = units.startIndex - 1
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(digits.count)
            let letters = rest.prefix { $0.isASCII && $0.isLetter }
            rest = rest.dropFirst(letters.count)
            guard let number = digits.isEmpty ? nil : Int64(digits),
                let index = units.firstIndex(where: { $0.name == letters }), index > last
            else { return nil }
            last = index
            let (product, overflow) = number.multipliedReportingOverflow(by: units[index].nanoseconds)
            let (next, carry) = sum.addingReportingOverflow(product)
            guard !overflow, !carry, next <= 36_500 * units[0].nanoseconds else { return nil }
            sum = next
        }
        return sum
    }

    private static func failure(_ text: String, _ compact: String) -> TextFailure {
        if !compact.isEmpty, compact.allSatisfy({ $0.isASCII && $0.isNumber }) {
            return TextFailure("`\(text)` has no unit", help: "write \(compact)s for seconds, or \(compact)ms")
        }
        if compact.contains("."), compact.contains(where: { $0.isNumber }) {
            return TextFailure("`\(text)` has a fraction", help: "combine units instead: 1m30s, 1s500ms")
        }
        if compact.hasPrefix("-") { return TextFailure("`\(text)` is negative") }
        return TextFailure(
            "expected a duration such as 30s, found `\(text)`",
            help: "units are d, h, m, s, ms and us, the longest first: 1m30s")
    }

    /// The shortest text that `parse` reads as this.
    static func write(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        var rest = seconds * 1_000_000_000 + attoseconds / 1_000_000_000
        var text = ""
        for unit in units where rest >= unit.nanoseconds && (unit.name != "d" || rest % unit.nanoseconds == 0) {
            text += "\(rest / unit.nanoseconds)\(unit.name)"
            rest %= unit.nanoseconds
        }
        return text.isEmpty ? "0s" : text
    }
}
