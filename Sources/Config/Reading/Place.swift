import YAML

/// Where a value stands and how wide it is: what a problem points at.
struct Place: Sendable, Equatable {
    var location: Location
    var width: Int

    init(location: Location, width: Int = 1) {
        self.location = location
        self.width = width
    }

    init(_ node: YAMLNode) {
        self.init(location: Location(file: node.file, line: node.line, column: node.column), width: node.width)
    }

    /// A part of a scalar's text, as far as the text stands in the file as it is; otherwise the whole scalar.
    init(_ node: YAMLNode, offset: Int, width: Int) {
        self.init(node)
        guard case .scalar(let text, let style) = node.content else { return }
        let quotes = style == .plain ? 0 : 1
        guard style != .block, node.width == text.unicodeScalars.count + 2 * quotes else { return }
        location.column += quotes + offset
        self.width = max(1, width)
    }
}

/// A value with its place, for checks that come when all is read.
struct Located<Value: Sendable>: Sendable {
    var value: Value
    var place: Place
    /// How messages name it; never what `${…}` brought. Empty where no message does.
    var shown: String

    init(_ value: Value, at place: Place, shown: String = "") {
        self.value = value
        self.place = place
        self.shown = shown
    }
}

extension Located: Equatable where Value: Equatable {}

extension Problem {
    init(
        _ severity: Severity = .error, at place: Place, _ message: String, help: String? = nil,
        related: Related? = nil
    ) {
        self.init(severity, at: place.location, message, help: help, related: related, width: place.width)
    }
}
