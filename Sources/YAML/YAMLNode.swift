/// A value of a YAML file with the place where it stands. Immutable; an alias is the very node of its anchor.
package final class YAMLNode: Sendable {
    package enum Style: Sendable, Equatable {
        case plain
        case singleQuoted
        case doubleQuoted
        /// `|` or `>`.
        case block
    }

    package struct Entry: Sendable {
        /// A scalar.
        package let key: YAMLNode
        package let value: YAMLNode
    }

    package enum Content: Sendable {
        /// Text without quotes and escapes. YAML's own guesses (numbers, booleans) are not made.
        case scalar(String, Style)
        case sequence([YAMLNode])
        /// In the file's order; merged entries (`<<`) stand behind the mapping's own. Keys are unique.
        case mapping([Entry])
    }

    package let content: Content
    package let file: String
    /// From 1.
    package let line: Int
    /// From 1, in characters.
    package let column: Int
    /// Characters up to the node's end, 1 when it ends on another line.
    package let width: Int
    /// Nodes in this tree, where an alias counts with all that its anchor holds.
    let weight: Int
    /// Sequences and mappings inside each other, through aliases too.
    let depth: Int

    init(_ content: Content, file: String, line: Int, column: Int, width: Int, weight: Int, depth: Int) {
        self.content = content
        self.file = file
        self.line = line
        self.column = column
        self.width = width
        self.weight = weight
        self.depth = depth
    }
}

extension YAMLNode {
    /// The text of a scalar.
    package var text: String? {
        guard case .scalar(let text, _) = content else { return nil }
        return text
    }

    /// Whether nothing stands there: `key:`, or a plain `~` or `null`.
    package var isNull: Bool {
        guard case .scalar(let text, .plain) = content else { return false }
        return text.isEmpty || text == "~" || text == "null"
    }

    /// The value under `key` of a mapping.
    package subscript(key: String) -> YAMLNode? {
        guard case .mapping(let entries) = content else { return nil }
        return entries.first { $0.key.text == key }?.value
    }
}
