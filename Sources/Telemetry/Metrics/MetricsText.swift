/// Figures in the text that Prometheus reads: its own exposition format (version 0.0.4), or OpenMetrics 1.0.
package struct MetricsText: Sendable {
    package enum Format: Sendable, Equatable {
        case prometheus
        case openMetrics

        /// As a scraper asks for it: OpenMetrics where `Accept` names it and does not exclude it.
        package init(accept: String?) {
            let ranges = accept?.lowercased().split(separator: ",") ?? []
            let wanted = ranges.contains { range in
                let parts = range.split(separator: ";").map { $0.filter { $0 != " " } }
                return parts.first == "application/openmetrics-text"
                    && !parts.contains { ["q=0", "q=0.0"].contains($0) }
            }
            self = wanted ? .openMetrics : .prometheus
        }

        package var contentType: String {
            switch self {
            case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
            case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
            }
        }
    }

    package let format: Format
    package private(set) var text = ""
    private var family: MetricFamily?

    package init(_ format: Format) { self.format = format }

    /// Begins a family: its samples come next, and those of no other.
    package mutating func begin(_ family: MetricFamily) {
        self.family = family
        let name = family.kind == .counter && format == .prometheus ? "\(family.name)_total" : family.name
        text += "# HELP \(name) \(Self.escaped(family.help, quotes: false))\n# TYPE \(name) \(family.kind.rawValue)\n"
    }

    /// A sample of the family that was begun.
    ///
    /// - Parameter labels: values in the order of the family's labels.
    package mutating func sample(_ value: Int64, _ labels: [String] = []) {
        guard let family else { return }
        text += family.name
        if family.kind == .counter { text += "_total" }
        if !labels.isEmpty {
            let pairs = zip(family.labels, labels).map { "\($0)=\"\(Self.escaped($1, quotes: true))\"" }
            text += "{\(pairs.joined(separator: ","))}"
        }
        text += " \(value)\n"
    }

    /// A family of one sample.
    package mutating func add(_ family: MetricFamily, _ value: Int64) {
        begin(family)
        sample(value)
    }

    /// The whole text.
    package consuming func finished() -> [UInt8] {
        if format == .openMetrics { text += "# EOF\n" }
        return Array(text.utf8)
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
