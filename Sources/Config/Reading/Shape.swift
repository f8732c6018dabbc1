/// What a value of the file looks like: the source of messages, of the JSON Schema and of the reference page.
indirect enum Shape: Sendable {
    /// Text of a kind that `phrase` names ("a URL").
    case text(String)
    case boolean
    case integer(ClosedRange<Int>)
    case duration(ClosedRange<Duration>)
    case size(ClosedRange<Int>)
    /// `20%`.
    case percent(ClosedRange<Int>)
    /// `100/s`.
    case rate
    case words([String])
    case list(Shape)
    /// Names of a kind, each with a value.
    case map(String, Shape)
    case section(SectionInfo)
    /// Whatever JSON can say.
    case json
    case either([Shape])

    /// For messages: "a duration such as 30s".
    var phrase: String {
        switch self {
        case .text(let kind): kind
        case .boolean: "true or false"
        case .integer(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .duration: "a duration such as 30s"
        case .size: "a size such as 64KiB"
        case .percent: "a percentage such as 20%"
        case .rate: "a rate such as 100/s"
        case .words(let words): Self.alternatives(words)
        case .list(let item): "a list of \(item.phrase)"
        case .map(let key, let value): "a map from \(key) to \(value.sections.isEmpty ? value.phrase : "its settings")"
        case .section(let info): "a map (\(info.title))"
        case .json: "any value"
        case .either(let shapes): Self.isOneOrMore(shapes) ? shapes[0].phrase + " or a list" : choice(shapes)
        }
    }

    /// The first form that will do.
    var example: String {
        if case .either(let shapes) = self, let first = shapes.first { return first.example }
        return phrase
    }

    /// One value or a list of such.
    static func isOneOrMore(_ shapes: [Shape]) -> Bool {
        guard shapes.count == 2, case .list(let item) = shapes[1] else { return false }
        return item.phrase == shapes[0].phrase
    }

    private func choice(_ shapes: [Shape]) -> String {
        shapes.map { shape in
            // A word among descriptions: quoted, to be told from them.
            if case .words(let words) = shape { return Self.alternatives(words.map { "`\($0)`" }) }
            return shape.phrase
        }.joined(separator: " or ")
    }

    static func alternatives(_ words: [String]) -> String {
        guard let last = words.last, words.count > 1 else { return words.first ?? "" }
        return "\(words.dropLast().joined(separator: ", ")) or \(last)"
    }

    /// Sections inside this shape, without those inside them.
    var sections: [SectionInfo] {
        switch self {
        case .section(let info): [info]
        case .list(let shape), .map(_, let shape): shape.sections
        case .either(let shapes): shapes.flatMap(\.sections)
        default: []
        }
    }
}

/// A section's table without its type.
struct SectionInfo: Sendable {
    /// Unique; the section's name in messages, the schema and the reference page.
    var title: String
    var sentence: String
    var rows: @Sendable () -> [KeyInfo]
}

/// A row without its type.
struct KeyInfo: Sendable {
    var name: String
    var shape: Shape
    /// The default as the file would say it, or what holds when the key is absent.
    var standard: String?
    var isRequired: Bool
    /// Known, but not in this version.
    var isLater: Bool
    var sentence: String
}
