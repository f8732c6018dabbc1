/// Something wrong, or doubtful, in the configuration: where it stands, what it is and what to write instead.
package struct Problem: Error, Sendable, Equatable {
    package enum Severity: String, Sendable {
        /// The configuration cannot be used.
        case error
        /// It can, but probably does not do what was meant.
        case warning
    }

    /// A second place that the problem is about, such as the first of two equal names.
    package struct Related: Sendable, Equatable {
        package var location: Location
        /// What is there: "first defined here".
        package var note: String

        package init(location: Location, note: String) {
            self.location = location
            self.note = note
        }
    }

    package var severity: Severity
    package var location: Location
    /// One line, lower case at the front, without a full stop; never holds a secret.
    package var message: String
    /// What to write instead.
    package var help: String?
    package var related: Related?
    /// Characters of the source line that the mark underlines.
    package var width: Int
    /// The source line is shown only up to this column, because a secret stands behind it; nil: all of it.
    package var hiddenFrom: Int?

    package init(
        _ severity: Severity = .error, at location: Location, _ message: String, help: String? = nil,
        related: Related? = nil, width: Int = 1
    ) {
        self.severity = severity
        self.location = location
        self.message = message
        self.help = help
        self.related = related
        self.width = width
    }
}

extension Problem {
    /// The problem as people read it, lines ended by a newline:
    ///
    ///     martlet.yaml:14:5: error: unknown key `timout` in upstream `users`
    ///        14 |     timout: { response: 5s }
    ///           |     ^~~~~~
    ///           = help: did you mean `timeouts`?
    ///
    /// - Parameter sourceLine: gives a line of a file (from 1) without its newline, or nil.
    package func render(sourceLine: (_ file: String, _ line: Int) -> String?) -> String {
        var text = "\(Self.place(location)): \(severity.rawValue): \(Self.printable(message))\n"
        text += Self.excerpt(location, width: width, hiddenFrom: hiddenFrom, sourceLine: sourceLine)
        let gutter = Self.gutter("")
        if let related {
            text += "\(gutter)= \(Self.place(related.location)): \(Self.printable(related.note))\n"
        }
        if let help {
            text += "\(gutter)= help: \(Self.printable(help))\n"
        }
        return text
    }

    /// The same in one line, for logs, without the source:
    ///
    ///     martlet.yaml:14:5: error: unknown key `timout` in upstream `users` (did you mean `timeouts`?)
    package var line: String {
        var text = "\(Self.place(location)): \(severity.rawValue): \(message)"
        if let related { text += "; \(Self.place(related.location)): \(related.note)" }
        if let help { text += " (\(help))" }
        return Self.printable(text)
    }

    private static func place(_ location: Location) -> String {
        "\(printable(location.file)):\(location.line):\(location.column)"
    }

    /// What the file says stands in messages too; a terminal must not obey it.
    private static func printable(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var shown = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { shown.append(isControl(scalar) ? "\u{FFFD}" : scalar) }
        return String(shown)
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
    }

    private static func gutter(_ number: String) -> String {
        String(repeating: " ", count: max(0, 5 - number.utf8.count)) + number + " "
    }

    private static func excerpt(
        _ location: Location, width: Int, hiddenFrom: Int?, sourceLine: (String, Int) -> String?
    ) -> String {
        guard let line = sourceLine(location.file, location.line) else { return "" }
        var shown = String.UnicodeScalarView()
        var padding = ""
        var column = 0
        for scalar in line.unicodeScalars.prefix(400) {
            column += 1
            if let hiddenFrom, column >= hiddenFrom {
                shown.append(contentsOf: "…".unicodeScalars)
                break
            }
            shown.append(isControl(scalar) && scalar != "\t" ? "\u{FFFD}" : scalar)
            if column < location.column { padding += scalar == "\t" ? "\t" : " " }
        }
        guard location.column <= 400 else { return "\(gutter("\(location.line)"))| \(String(shown))\n" }
        let room = max(1, (hiddenFrom ?? column + 1) - location.column)
        let mark = "^" + String(repeating: "~", count: max(0, min(width, room) - 1))
        return "\(gutter("\(location.line)"))| \(String(shown))\n\(gutter(""))| \(padding)\(mark)\n"
    }
}

extension Problem {
    /// By place; the order of files is the order in which they were read.
    package static func sorted(_ problems: [Problem], files: [String]) -> [Problem] {
        let rank = Dictionary(files.enumerated().map { ($1, $0) }, uniquingKeysWith: min)
        return problems.enumerated().sorted { left, right in
            let (first, second) = (left.element.location, right.element.location)
            let files = (rank[first.file] ?? .max, rank[second.file] ?? .max)
            return (files.0, first.line, first.column, left.offset) < (
                files.1, second.line, second.column, right.offset
            )
        }.map(\.element)
    }
}
