/// Why a text is no YAML that we read.
package struct YAMLError: Error, Sendable, Equatable {
    /// From 1.
    package var line: Int
    /// From 1, in characters.
    package var column: Int
    package var message: String
    /// What to write instead, where it can be told.
    package var help: String?

    package init(line: Int, column: Int, message: String, help: String? = nil) {
        self.line = line
        self.column = column
        self.message = message
        self.help = help
    }
}

/// Bounds on what one file may hold; each answers with a `YAMLError`.
package struct YAMLLimits: Sendable {
    /// Bytes of the text.
    package var bytes = 16 * 1024 * 1024
    /// Sequences and mappings inside each other.
    package var depth = 64
    /// Nodes of the tree, where each alias counts with all that its anchor holds.
    package var nodes = 2_000_000
    package init() {}
}
