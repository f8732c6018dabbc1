import YAML

/// A middleware kind that a package built on Martlet registers: its key table.
package struct CustomKind: Sendable {
    package struct Key: Sendable {
        package enum Kind: Sendable {
            case text
            /// `true` or `false` in the settings.
            case boolean
            case integer(ClosedRange<Int>)
            /// Nanoseconds in the settings.
            case duration(ClosedRange<Duration>)
            /// Bytes in the settings.
            case size(ClosedRange<Int>)
            case words([String])
        }

        package var name: String
        package var kind: Kind
        package var isRequired: Bool
        /// In the settings when the file says nothing; nil: then the key is missing there.
        package var standard: String?
        package var sentence: String

        package init(
            _ name: String, _ kind: Kind, isRequired: Bool = false, default standard: String? = nil, _ sentence: String
        ) {
            self.name = name
            self.kind = kind
            self.isRequired = isRequired
            self.standard = standard
            self.sentence = sentence
        }
    }

    /// The key under which the file has it.
    package var name: String
    package var sentence: String
    package var keys: [Key]

    package init(_ name: String, _ sentence: String, keys: [Key]) {
        self.name = name
        self.sentence = sentence
        self.keys = keys
    }

    var info: SectionInfo {
        let rows = keys.map { key in
            KeyInfo(
                name: key.name, shape: key.shape, standard: key.standard, isRequired: key.isRequired, isLater: false,
                sentence: key.sentence)
        }
        return SectionInfo(title: name, sentence: sentence) { rows }
    }

    /// Settings by key; nil: no map.
    func read(_ node: YAMLNode, _ decoder: ConfigDecoder) -> [String: String]? {
        var settings: [String: String] = [:]
        for key in keys { settings[key.name] = key.standard }
        var entries: [YAMLNode.Entry] = []
        if case .mapping(let found) = node.content {
            entries = found
        } else if !node.isNull {
            decoder.reportShape(node, expected: "a map (\(name))")
            return nil
        }
        for entry in entries {
            guard let text = entry.key.text else { continue }
            if let key = keys.first(where: { $0.name == text }) {
                settings[text] = key.read(entry.value, decoder)
            } else {
                decoder.reportUnknown(entry.key, text, keys: info.rows(), subject: name)
            }
        }
        for key in keys where key.isRequired && !entries.contains(where: { $0.key.text == key.name }) {
            decoder.report(at: Place(location: Place(node).location), "\(name) needs the key `\(key.name)`")
        }
        return settings
    }
}

extension CustomKind.Key {
    var shape: Shape {
        switch kind {
        case .text: .text("text")
        case .boolean: .boolean
        case .integer(let range): .integer(range)
        case .duration(let range): .duration(range)
        case .size(let range): .size(range)
        case .words(let words): .words(words)
        }
    }

    func read(_ node: YAMLNode, _ decoder: ConfigDecoder) -> String? {
        switch kind {
        case .text: return ConfigType<String>.text("text").read(node, decoder)
        case .boolean: return ConfigType<Bool>.boolean.read(node, decoder).map { $0 ? "true" : "false" }
        case .integer(let range): return ConfigType<Int>.integer(range).read(node, decoder).map { "\($0)" }
        case .size(let range): return ConfigType<Int>.size(range).read(node, decoder).map { "\($0)" }
        case .duration(let range):
            return ConfigType<Duration>.duration(range).read(node, decoder).map { value in
                let (seconds, attoseconds) = value.components
                return "\(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)"
            }
        case .words(let words):
            let type = ConfigType<String>(.words(words), show: { $0 }) { text throws(TextFailure) in
                guard words.contains(text) else { throw TextFailure.word(text, among: words) }
                return text
            }
            return type.read(node, decoder)
        }
    }
}
