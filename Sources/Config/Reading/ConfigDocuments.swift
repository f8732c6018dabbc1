import YAML

/// The trees of the main file and of all it includes.
struct ConfigDocuments {
    private let decoder: ConfigDecoder
    private(set) var roots: [YAMLNode] = []
    /// Whether every file could be read; otherwise missing names mean nothing.
    private(set) var isWhole = true
    private var known: Set<String> = []

    /// Files of one configuration.
    private static let filesMax = 1_000
    /// Files that include each other.
    private static let depthMax = 8

    init(decoder: ConfigDecoder) { self.decoder = decoder }

    mutating func read(main path: String) {
        read(path, at: Place(location: Location(file: path, line: 1, column: 1)), depth: 0)
    }

    private mutating func read(_ path: String, at place: Place, depth: Int) {
        known.insert(path)
        switch decoder.inputs.configuration(path) {
        case .failure(let failure):
            decoder.report(at: place, "cannot read `\(path)`: \(failure.reason)")
            isWhole = false
        case .success(let bytes):
            parse(bytes, path: path, depth: depth)
        }
    }

    private mutating func parse(_ bytes: [UInt8], path: String, depth: Int) {
        let document: YAMLDocument
        do throws(YAMLError) {
            document = try YAMLDocument(bytes, file: path)
        } catch {
            decoder.add(
                Problem(
                    at: Location(file: path, line: error.line, column: error.column), error.message, help: error.help))
            isWhole = false
            return
        }
        for duplicate in document.duplicates {
            decoder.report(
                at: duplicate.second, "the key `\(duplicate.second.text ?? "")` stands twice",
                related: .init(location: Place(duplicate.first).location, note: "first here"))
        }
        guard let root = document.root else { return }
        roots.append(root)
        guard let include = root["include"], !include.isNull else { return }
        // Problems of the list itself are reported when the key is read with all others.
        let nodes = if case .sequence(let items) = include.content { items } else { [include] }
        for node in nodes { self.include(node, depth: depth) }
    }

    private mutating func include(_ node: YAMLNode, depth: Int) {
        guard let pattern = node.text, !pattern.isEmpty else { return }
        guard !pattern.contains("${") else {
            decoder.report(at: node, "the path of an included file stands in the file itself")
            isWhole = false
            return
        }
        guard depth < Self.depthMax else {
            decoder.report(at: node, "more than \(Self.depthMax) files include each other")
            return
        }
        let path = decoder.path(pattern, besides: node.file)
        let isPattern = pattern.contains("*") || pattern.contains("?")
        for file in isPattern ? Glob.expand(path, list: decoder.inputs.directory) : [path] {
            if known.contains(file) {
                if !isPattern { decoder.report(at: node, "`\(file)` is included already") }
                continue
            }
            guard known.count < Self.filesMax else {
                decoder.report(at: node, "more than \(Self.filesMax) files")
                return
            }
            read(file, at: Place(node), depth: depth + 1)
        }
    }
}

/// Patterns of file names: `*` and `?` match within one name, but not a leading dot.
enum Glob {
    /// Paths that match, in order.
    static func expand(_ pattern: String, list: (String) -> [String]) -> [String] {
        var found = [pattern.hasPrefix("/") ? "/" : ""]
        let parts = pattern.split(separator: "/").map(String.init)
        for part in parts {
            guard part.contains("*") || part.contains("?") else {
                found = found.map { $0 + ($0.isEmpty || $0.hasSuffix("/") ? "" : "/") + part }
                continue
            }
            found = found.flatMap { folder in
                list(folder.isEmpty ? "." : folder).filter { matches($0, part) }.map { name in
                    folder + (folder.isEmpty || folder.hasSuffix("/") ? "" : "/") + name
                }
            }
        }
        return found
    }

    static func matches(_ name: String, _ pattern: String) -> Bool {
        let (name, pattern) = (Array(name.unicodeScalars), Array(pattern.unicodeScalars))
        if name.first == ".", pattern.first != "." { return false }
        var (position, index) = (0, 0)
        // Where the last star stands, and how far it reached.
        var star: Int?
        var reached = 0
        while position < name.count {
            if index < pattern.count, pattern[index] == "*" {
                star = index
                reached = position
                index += 1
            } else if index < pattern.count, pattern[index] == "?" || pattern[index] == name[position] {
                position += 1
                index += 1
            } else if let last = star {
                reached += 1
                position = reached
                index = last + 1
            } else {
                return false
            }
        }
        return pattern[index...].allSatisfy { $0 == "*" }
    }
}
