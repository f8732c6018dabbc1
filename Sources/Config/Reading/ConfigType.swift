import YAML

/// How values of one kind are read from the file, described and written.
struct ConfigType<Value: Sendable>: Sendable {
    let shape: Shape
    /// Nil: a problem was reported.
    let read: @Sendable (YAMLNode, ConfigDecoder) -> Value?
    /// As the file says it, for defaults; nil when that takes more than a line.
    let show: @Sendable (Value) -> String?
    /// What `read` does with the text of types whose values are one text.
    var parse: (@Sendable (String) throws(TextFailure) -> Value)?

    init(
        _ shape: Shape, show: @escaping @Sendable (Value) -> String? = { _ in nil },
        read: @escaping @Sendable (YAMLNode, ConfigDecoder) -> Value?
    ) {
        self.shape = shape
        self.read = read
        self.show = show
    }

    /// A type whose values are one text; `parse` says what is wrong with it and what to write.
    init(
        _ shape: Shape, show: @escaping @Sendable (Value) -> String?,
        parse: @escaping @Sendable (String) throws(TextFailure) -> Value
    ) {
        self.init(shape, show: show) { node, decoder in
            guard node.text != nil, !node.isNull else {
                decoder.reportShape(node, expected: shape.phrase)
                return nil
            }
            guard let text = decoder.text(node) else { return nil }
            do throws(TextFailure) {
                guard !text.text.isEmpty else { throw TextFailure() }
                return try parse(text.text)
            } catch {
                guard !error.isSecret else {
                    decoder.reportSecret(at: node, error.message ?? "expected \(shape.phrase)", help: error.help)
                    return nil
                }
                let message = error.message ?? "expected \(shape.phrase), found \(text.shown)"
                decoder.report(
                    at: node, text.isExpanded ? "\(text.shown): expected \(shape.phrase)" : message,
                    help: text.isExpanded ? nil : error.help)
                return nil
            }
        }
        self.parse = parse
    }
}

/// Why a text is no value of its type.
struct TextFailure: Error {
    /// Nil: "expected …, found …".
    var message: String?
    var help: String?
    /// The text holds a secret and is not to be shown.
    var isSecret: Bool

    init(_ message: String? = nil, help: String? = nil, isSecret: Bool = false) {
        self.message = message
        self.help = help
        self.isSecret = isSecret
    }
}

// MARK: - Types made of types

extension ConfigType {
    /// One value, or a list of them.
    static func oneOrMore<Item: Sendable>(_ item: ConfigType<Item>) -> ConfigType<[Item]> where Value == [Item] {
        ConfigType<[Item]>(.either([item.shape, .list(item.shape)]), show: list(item)) { node, decoder in
            if case .sequence(let nodes) = node.content { return decoder.all(nodes, item) }
            return item.read(node, decoder).map { [$0] }
        }
    }

    static func list<Item: Sendable>(of item: ConfigType<Item>) -> ConfigType<[Item]> where Value == [Item] {
        ConfigType<[Item]>(.list(item.shape), show: list(item)) { node, decoder in
            switch node.content {
            case .sequence(let nodes): return decoder.all(nodes, item)
            case .scalar where node.isNull: return []
            case .mapping:
                decoder.report(
                    at: node, "expected \(Shape.list(item.shape).phrase), found a map",
                    help: "put `- ` before each item")
                return nil
            case .scalar(let text, _):
                var help = "write [\(text)]"
                if text.contains(", ") { help = "put brackets around it: [\(text)]" }
                decoder.report(at: node, "expected \(Shape.list(item.shape).phrase), found text", help: help)
                return nil
            }
        }
    }

    private static func list<Item>(_ item: ConfigType<Item>) -> @Sendable ([Item]) -> String? {
        { items in
            let shown = items.compactMap(item.show)
            return shown.count == items.count ? "[\(shown.joined(separator: ", "))]" : nil
        }
    }

    /// Either the word (then nil) or a value.
    static func word<Wrapped: Sendable>(_ word: String, or type: ConfigType<Wrapped>) -> ConfigType<Wrapped?>
    where Value == Wrapped? {
        let shape = Shape.either([.words([word]), type.shape])
        // Text that is neither is told of both.
        if let parse = type.parse {
            return ConfigType<Wrapped?>(
                shape, show: { value in value.map(type.show) ?? word },
                parse: { text throws(TextFailure) in text == word ? nil : try parse(text) })
        }
        return ConfigType<Wrapped?>(
            shape, show: { value in value.map(type.show) ?? word },
            read: { node, decoder in
                if node.text == word { return .some(nil) }
                return type.read(node, decoder).map(Optional.some)
            })
    }

    /// With the place where it stands.
    static func located<Wrapped: Sendable>(_ type: ConfigType<Wrapped>) -> ConfigType<Located<Wrapped>>
    where Value == Located<Wrapped> {
        ConfigType<Located<Wrapped>>(type.shape, show: { type.show($0.value) }) { node, decoder in
            type.read(node, decoder).map { Located($0, at: Place(node), shown: ExpandedText.name(node)) }
        }
    }

    /// Names, each with a value, in the file's order.
    static func map<Item: Sendable>(_ key: ConfigType<String>, to value: ConfigType<Item>)
        -> ConfigType<[MapItem<Item>]> where Value == [MapItem<Item>]
    {
        let all = ConfigType<[MapItem<Item?>]>.definitions(key, of: value)
        return ConfigType<[MapItem<Item>]>(all.shape) { node, decoder in
            all.read(node, decoder)?.compactMap { item in
                item.value.map { MapItem(name: item.name, place: item.place, value: $0) }
            }
        }
    }

    /// The same for names that are used elsewhere: they are known, however wrong their values are. A value with problems
    /// is nil.
    static func definitions<Item: Sendable>(_ key: ConfigType<String>, of value: ConfigType<Item>)
        -> ConfigType<[MapItem<Item?>]> where Value == [MapItem<Item?>]
    {
        let shape = Shape.map(key.shape.phrase, value.shape)
        return ConfigType<[MapItem<Item?>]>(shape) { node, decoder in
            decoder.mapItems(node, expected: shape.phrase) { entry in
                let name = key.read(entry.key, decoder)
                decoder.entryName = entry.key.text
                defer { decoder.entryName = nil }
                let value = value.read(entry.value, decoder)
                return name.map { MapItem(name: $0, place: Place(entry.key), value: value) }
            }
        }
    }
}

/// One `name: value` of a map.
struct MapItem<Value: Sendable>: Sendable {
    var name: String
    var place: Place
    var value: Value
}

extension ConfigDecoder {
    /// Every item; those with problems are missing.
    func all<Item>(_ nodes: [YAMLNode], _ type: ConfigType<Item>) -> [Item] {
        nodes.compactMap { type.read($0, self) }
    }

    func mapItems<Item>(_ node: YAMLNode, expected: String, _ item: (YAMLNode.Entry) -> Item?) -> [Item]? {
        switch node.content {
        case .mapping(let entries): return entries.compactMap(item)
        case .scalar where node.isNull: return []
        default:
            reportShape(node, expected: expected)
            return nil
        }
    }
}
