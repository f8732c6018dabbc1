/// Requests in a period: `100/s`, `10/m`, `5000/h`.
struct Rate: Sendable, Equatable {
    var count: Int
    var period: Duration

    private static let periods: [(name: String, seconds: Int)] = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)]
    static let countMax = 1_000_000_000

    static func parse(_ text: String) throws(TextFailure) -> Rate {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let count = parts.first.flatMap({ DecimalNumber.parse($0) }), parts.count <= 2 else {
            throw TextFailure(help: "write a number, a slash and s, m, h or d: 100/s")
        }
        guard parts.count == 2 else {
            throw TextFailure("`\(text)` has no period", help: "write \(text)/s for each second, or \(text)/m")
        }
        guard let period = periods.first(where: { $0.name == parts[1] }) else {
            throw TextFailure(
                "`\(parts[1])` is no period", help: "write \(count)/s, \(count)/m, \(count)/h or \(count)/d")
        }
        guard (1...countMax).contains(count) else {
            throw TextFailure("the rate must be from 1 to \(countMax)")
        }
        return Rate(count: count, period: .seconds(period.seconds))
    }

    var text: String {
        let name = Self.periods.first { .seconds($0.seconds) == period }?.name
        return "\(count)/\(name ?? DurationText.write(period))"
    }
}
