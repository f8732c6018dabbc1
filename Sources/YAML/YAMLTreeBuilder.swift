/// Builds the tree from events with a stack of its own: no recursion, so depth costs no thread stack.
struct YAMLTreeBuilder {
    private struct Frame {
        var event: YAMLEvent
        var items: [YAMLNode] = []
        var entries: [YAMLNode.Entry] = []
        /// Keys of `entries` by text.
        var known: [String: Int] = [:]
        /// What stands under `<<`.
        var merges: [YAMLNode] = []
        /// The key whose value comes next.
        var key: YAMLNode?
        var isMapping: Bool
        var weight = 1
        var depth = 0
    }

    private let file: String
    private let limits: YAMLLimits
    private var stack: [Frame] = []
    /// Nil while the anchored node is still open.
    private var anchors: [String: YAMLNode?] = [:]
    private var documents = 0
    private var count = 0
    private(set) var root: YAMLNode?
    private(set) var duplicates: [YAMLDocument.DuplicateKey] = []

    init(file: String, limits: YAMLLimits) {
        self.file = file
        self.limits = limits
    }

    mutating func receive(_ event: YAMLEvent) throws(YAMLError) {
        if event.isTagged {
            throw event.error("`!` starts a YAML tag here, and tags are not used", help: "put the value in quotes")
        }
        switch event.kind {
        case .documentStart:
            documents += 1
            guard documents == 1 else {
                throw event.error(
                    "a second YAML document starts here",
                    help: "remove the `---`; more files can be named under `include:`")
            }
        case .scalar(let text, let style):
            let width = event.endLine == event.line ? max(1, event.endColumn - event.column) : 1
            try add(node(.scalar(text, style), event, width: width, weight: 1, depth: 0), event)
        case .alias(let name):
            try add(resolve(name, event), event)
        case .sequenceStart, .mappingStart:
            try open(event)
        case .sequenceEnd, .mappingEnd:
            try close()
        }
    }

    private mutating func open(_ event: YAMLEvent) throws(YAMLError) {
        guard stack.count < limits.depth else { throw tooDeep(event) }
        if let frame = stack.last, frame.isMapping, frame.key == nil {
            throw event.error(
                "`{` and `[` cannot begin a key",
                help: "text that starts with one of them must stand in quotes, such as \"[::]:8080\" or \"{path.id}\"")
        }
        if let anchor = event.anchor { anchors.updateValue(nil, forKey: anchor) }
        var isMapping = false
        if case .mappingStart = event.kind { isMapping = true }
        stack.append(Frame(event: event, isMapping: isMapping))
    }

    private mutating func close() throws(YAMLError) {
        guard var frame = stack.popLast() else { return }
        let content: YAMLNode.Content
        if frame.isMapping {
            try merge(into: &frame)
            content = .mapping(frame.entries)
        } else {
            content = .sequence(frame.items)
        }
        try add(node(content, frame.event, width: 1, weight: frame.weight, depth: frame.depth + 1), frame.event)
    }

    private mutating func add(_ node: YAMLNode, _ event: YAMLEvent) throws(YAMLError) {
        if let anchor = event.anchor { anchors.updateValue(node, forKey: anchor) }
        guard var frame = stack.popLast() else {
            root = node
            return
        }
        // Weights of siblings are bounded by the limit each, so that the sum cannot overflow.
        frame.weight += node.weight
        frame.depth = max(frame.depth, node.depth)
        count += 1
        guard stack.count + 1 + frame.depth <= limits.depth else { throw tooDeep(event) }
        guard frame.weight <= limits.nodes, count <= limits.nodes else {
            throw event.error("the file holds more than \(limits.nodes) values, aliases counted in full")
        }
        if !frame.isMapping {
            frame.items.append(node)
        } else if let key = frame.key {
            frame.key = nil
            try addEntry(key, node, to: &frame)
        } else {
            guard node.text != nil else { throw event.error("a key must be plain text") }
            frame.key = node
        }
        stack.append(frame)
    }

    private mutating func addEntry(_ key: YAMLNode, _ value: YAMLNode, to frame: inout Frame) throws(YAMLError) {
        guard case .scalar(let name, let style) = key.content else { return }
        if name == "<<", style == .plain {
            try collectMerge(value, key: key, into: &frame)
        } else if let index = frame.known[name] {
            duplicates.append(.init(first: frame.entries[index].key, second: key))
        } else {
            frame.known[name] = frame.entries.count
            frame.entries.append(.init(key: key, value: value))
        }
    }

    private func collectMerge(_ value: YAMLNode, key: YAMLNode, into frame: inout Frame) throws(YAMLError) {
        let sources: [YAMLNode]
        if case .sequence(let items) = value.content { sources = items } else { sources = [value] }
        for source in sources {
            guard case .mapping = source.content else {
                throw YAMLError(
                    line: key.line, column: key.column, message: "`<<` merges a map, and this is none",
                    help: "write `<<: *name`, where `&name` stands before a map")
            }
            frame.merges.append(source)
        }
    }

    /// Entries of `<<` maps join behind the own ones; own keys win, then the earlier map.
    private func merge(into frame: inout Frame) throws(YAMLError) {
        for source in frame.merges {
            guard case .mapping(let entries) = source.content else { continue }
            for entry in entries {
                guard let name = entry.key.text, frame.known[name] == nil else { continue }
                frame.known[name] = frame.entries.count
                frame.entries.append(entry)
            }
        }
    }

    private func resolve(_ name: String, _ event: YAMLEvent) throws(YAMLError) -> YAMLNode {
        switch anchors[name] {
        case .some(.some(let node)):
            return node
        case .some(nil):
            throw event.error("the alias `*\(name)` stands inside what it names")
        case nil:
            throw event.error(
                "`*` starts a YAML alias here, and there is no anchor `&\(name)` before it",
                help: "text that begins with `*` must stand in quotes: \"*\(name)\"")
        }
    }

    private func node(
        _ content: YAMLNode.Content, _ event: YAMLEvent, width: Int, weight: Int, depth: Int
    ) -> YAMLNode {
        YAMLNode(
            content, file: file, line: event.line, column: event.column, width: width, weight: weight, depth: depth)
    }

    private func tooDeep(_ event: YAMLEvent) -> YAMLError {
        event.error("more than \(limits.depth) lists and maps inside each other")
    }
}

extension YAMLEvent {
    fileprivate func error(_ message: String, help: String? = nil) -> YAMLError {
        YAMLError(line: line, column: column, message: message, help: help)
    }
}
