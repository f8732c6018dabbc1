import YAML

/// One row of a section's table: the only place for a key's name, type, bounds, default and sentence.
struct ConfigKey<Section: Sendable>: Sendable {
    let info: KeyInfo
    /// Reads the value into the section; reports problems.
    let read: @Sendable (inout Section, YAMLNode, ConfigDecoder) -> Void
    /// The section's value as the file says it; nil when that takes more than a line.
    let show: @Sendable (Section) -> String?
    /// Whether another file may add to what this one says.
    let accumulates: Bool

    var name: String { info.name }

    /// A key that always has a value; with `isRequired` the default only stands in until the file gives one.
    init<Value>(
        _ name: String, _ property: any WritableKeyPath<Section, Value> & Sendable, _ type: ConfigType<Value>,
        default standard: Value, isRequired: Bool = false, _ sentence: String
    ) {
        info = KeyInfo(
            name: name, shape: type.shape, standard: isRequired ? nil : type.show(standard), isRequired: isRequired,
            isLater: false, sentence: sentence)
        read = { section, node, decoder in
            if let value = type.read(node, decoder) { section[keyPath: property] = value }
        }
        show = { type.show($0[keyPath: property]) }
        accumulates = false
    }

    /// A key that may be absent. `otherwise` says what holds then.
    init<Value>(
        _ name: String, _ property: any WritableKeyPath<Section, Value?> & Sendable, _ type: ConfigType<Value>,
        isRequired: Bool = false, otherwise: String? = nil, _ sentence: String
    ) {
        info = KeyInfo(
            name: name, shape: type.shape, standard: otherwise, isRequired: isRequired, isLater: false,
            sentence: sentence)
        read = { section, node, decoder in
            if let value = type.read(node, decoder) { section[keyPath: property] = value }
        }
        show = { $0[keyPath: property].flatMap(type.show) }
        accumulates = false
    }

    /// A list that several files may add to.
    init<Item>(
        _ name: String, adding property: any WritableKeyPath<Section, [Item]> & Sendable, _ type: ConfigType<[Item]>,
        _ sentence: String
    ) {
        info = KeyInfo(
            name: name, shape: type.shape, standard: nil, isRequired: false, isLater: false, sentence: sentence)
        read = { section, node, decoder in
            if let value = type.read(node, decoder) { section[keyPath: property] += value }
        }
        show = { _ in nil }
        accumulates = true
    }

    /// A key of the language that is not built yet.
    init(later name: String, _ sentence: String) {
        info = KeyInfo(
            name: name, shape: .json, standard: nil, isRequired: false, isLater: true, sentence: sentence)
        read = { _, _, _ in }
        show = { _ in nil }
        accumulates = false
    }
}

/// A part of the file with keys of its own.
protocol ConfigSection: Sendable {
    /// Unique; as messages and the reference page name it.
    static var title: String { get }
    /// What it is for, in one sentence.
    static var sentence: String { get }
    static var keys: [ConfigKey<Self>] { get }
    /// Everything at its default.
    init()
    /// Checks between keys, once all were read.
    mutating func check(_ reading: SectionReading, _ decoder: ConfigDecoder)
}

extension ConfigSection {
    static var info: SectionInfo {
        SectionInfo(title: title, sentence: sentence) { keys.map(\.info) }
    }

    mutating func check(_ reading: SectionReading, _ decoder: ConfigDecoder) {}
}

/// Which keys a section was given, and where.
struct SectionReading {
    var place: Place
    var entries: [String: YAMLNode.Entry] = [:]
    /// One of its keys is unknown, and may be a misspelt one that is missing.
    var hasUnknownKey = false
    /// Keys whose values have errors.
    var faulty: Set<String> = []

    func key(_ name: String) -> Place? { entries[name].map { Place($0.key) } }

    /// Whether the key is there with nothing or an empty list behind it.
    func isBlank(_ name: String) -> Bool { entries[name] != nil && isEmpty(name) }

    /// Whether the key is absent, or has nothing or an empty list behind it.
    func isEmpty(_ name: String) -> Bool {
        guard let value = entries[name]?.value else { return true }
        if case .sequence(let items) = value.content { return items.isEmpty }
        return value.isNull
    }
}

extension ConfigType where Value: ConfigSection {
    static var section: ConfigType<Value> { section(from: { _ in Value() }) }

    /// A section that starts from something other than its plain defaults.
    static func section(from start: @escaping @Sendable (ConfigDecoder) -> Value) -> ConfigType<Value> {
        ConfigType<Value>(.section(Value.info)) { node, decoder in
            var value = start(decoder)
            return decoder.section(node, into: &value) ? value : nil
        }
    }
}

extension ConfigDecoder {
    /// Reads a map by the section's table. False only when the node is no map.
    ///
    /// Messages name it by its title, and by its name when it has one: "upstream `users`".
    @discardableResult
    func section<Section: ConfigSection>(_ node: YAMLNode, into section: inout Section) -> Bool {
        let subject = entryName.map { "\(Section.title) `\($0)`" } ?? Section.title
        entryName = nil
        var entries: [YAMLNode.Entry] = []
        if case .mapping(let found) = node.content {
            entries = found
        } else if !node.isNull {
            reportShape(node, expected: "a map (\(subject))")
            return false
        }
        let keys = Section.keys
        var reading = SectionReading(place: Place(node))
        for entry in entries {
            guard let name = entry.key.text else { continue }
            guard let key = keys.first(where: { $0.name == name }) else {
                reportUnknown(entry.key, name, keys: keys.map(\.info), subject: subject)
                reading.hasUnknownKey = true
                continue
            }
            reading.entries[name] = entry
            if key.info.isLater {
                report(at: entry.key, "`\(name)` is not in this version")
            } else {
                let errors = errorCount
                key.read(&section, entry.value, self)
                if errorCount != errors { reading.faulty.insert(name) }
            }
        }
        for key in keys where key.info.isRequired && reading.entries[key.name] == nil && !reading.hasUnknownKey {
            report(
                at: Place(location: reading.place.location), "\(subject) needs the key `\(key.name)`",
                help: "\(key.name): \(key.info.shape.example)")
        }
        section.check(reading, self)
        return true
    }

    func reportUnknown(_ node: YAMLNode, _ name: String, keys: [KeyInfo], subject: String) {
        let names = keys.filter { !$0.isLater }.map(\.name)
        var help: String
        if let nearest = Suggestion.nearest(to: name, among: keys.map(\.name)) {
            help = "did you mean `\(nearest)`?"
        } else if let homes = SectionIndex.homes[name] {
            help = "`\(name)` belongs to: \(homes.joined(separator: ", "))"
        } else {
            help = "allowed here: \(names.map { "`\($0)`" }.joined(separator: ", "))"
        }
        if names.isEmpty { help = "no key is allowed here" }
        report(at: node, "unknown key `\(name)` in \(subject)", help: help)
    }
}

/// Every section that the file can have, and where each key belongs.
enum SectionIndex {
    /// In the order in which the reference page shows them.
    static let all: [SectionInfo] = {
        var found: [SectionInfo] = []
        var titles: Set<String> = []
        var waiting = [GatewayDraft.info]
        while !waiting.isEmpty {
            let info = waiting.removeFirst()
            guard titles.insert(info.title).inserted else { continue }
            found.append(info)
            waiting += info.rows().flatMap(\.shape.sections)
        }
        return found
    }()

    /// Titles of the sections that have a key.
    static let homes: [String: [String]] = {
        var homes: [String: [String]] = [:]
        for section in all {
            for row in section.rows() where !row.isLater { homes[row.name, default: []].append(section.title) }
        }
        return homes
    }()
}
