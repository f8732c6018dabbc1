import TLS
import YAML

/// What one load gathers while it reads: problems, and what is known of the outside.
final class ConfigDecoder {
    let inputs: ConfigInputs
    let customKinds: [CustomKind]
    private(set) var problems: [Problem] = []
    /// Errors so far, those beyond `problemsMax` too: what was read without a new one is sound.
    private(set) var errorCount = 0
    /// Uses of `{path.NAME}` since the innermost `collectingParameters`.
    private var parameters: [Located<String>] = []
    /// `defaults: timeouts:`, read before any upstream.
    var upstreamTimeouts = UpstreamConfig.Timeouts()
    /// The gateway's access log, read before any route; a route's own starts from it.
    var accessLog = AccessLogConfig()
    /// Keys of the file whose names cannot all be known: the value is no map, or the key is misspelt.
    var unreadNames: Set<String> = []
    /// In the order in which they were read.
    var certificates: [LoadedCertificates] = []
    /// The system's authorities, once they were read.
    var systemAuthorities: CertificateAuthorities?
    /// The name under which the next section stands in a map.
    var entryName: String?

    /// Problems of one load; what comes later is counted only.
    static let problemsMax = 1_000

    init(inputs: ConfigInputs, customKinds: [CustomKind]) {
        self.inputs = inputs
        self.customKinds = customKinds
    }

    // MARK: Problems

    func add(_ problem: Problem) {
        if problem.severity == .error { errorCount += 1 }
        if problems.count < Self.problemsMax { problems.append(problem) }
    }

    func report(
        _ severity: Problem.Severity = .error, at place: Place, _ message: String, help: String? = nil,
        related: Problem.Related? = nil
    ) {
        add(Problem(severity, at: place, message, help: help, related: related))
    }

    func report(
        _ severity: Problem.Severity = .error, at node: YAMLNode, _ message: String, help: String? = nil,
        related: Problem.Related? = nil
    ) {
        report(severity, at: Place(node), message, help: help, related: related)
    }

    /// Points at a secret without showing it.
    func reportSecret(
        _ severity: Problem.Severity = .error, at node: YAMLNode, _ message: String, help: String? = nil
    ) {
        var problem = Problem(severity, at: Place(node), message, help: help)
        problem.hiddenFrom = node.column
        add(problem)
    }

    /// A value of the wrong shape: a list where text belongs, and so on.
    func reportShape(_ node: YAMLNode, expected: String) {
        if node.isNull {
            report(at: node, "no value: expected \(expected)")
            return
        }
        switch node.content {
        case .scalar(let text, _):
            let found = text.isEmpty ? "an empty text" : ExpandedText.shown(node)
            report(at: node, "expected \(expected), found \(found)", help: Self.missingSpace(text))
        case .sequence:
            report(at: node, "expected \(expected), found a list")
        case .mapping(let entries):
            var help: String?
            if entries.count == 1, let key = entries[0].key.text, entries[0].value.isNull,
                node.line == entries[0].key.line
            {
                help = "text that starts with `{` must stand in quotes: \"{\(key)}\""
            }
            report(at: node, "expected \(expected), found a map", help: help)
        }
    }

    /// `key:value` is one text to YAML.
    private static func missingSpace(_ text: String) -> String? {
        guard let colon = text.firstIndex(of: ":"), colon != text.startIndex,
            text[..<colon].utf8.allSatisfy({ (0x61...0x7A).contains($0) || $0 == 0x5F }),
            let next = text[text.index(after: colon)...].first, next != "/", next != " ", text.count < 80
        else { return nil }
        return "a space must follow the colon: `\(text[...colon]) \(text[text.index(after: colon)...])`"
    }

    // MARK: Path parameters

    /// Runs `body` and gives the `{path.NAME}` that it met; those of inner calls are not among them.
    func collectingParameters<Value>(_ body: () -> Value) -> (Value, [Located<String>]) {
        let outer = parameters
        parameters = []
        let value = body()
        let found = parameters
        parameters = outer
        return (value, found)
    }

    func useParameter(_ name: String, at place: Place) {
        parameters.append(Located(name, at: place))
    }
}
