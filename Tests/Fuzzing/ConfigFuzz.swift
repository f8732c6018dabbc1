import Config
import Routing

/// A configuration file.
///
/// Loading ends with a configuration or with an error that can be shown, and its record loads the same again; the routes
/// of what was accepted compile.
enum ConfigFuzz {
    private static let name = "martlet.yaml"

    static func run(_ input: [UInt8]) throws(FuzzViolation) {
        let result = ConfigLoader.load(
            path: name, environment: ["A": "1s"], credentialsDirectory: "/credentials",
            files: .memory([name: input, "/credentials/token": Array("secret".utf8)]))
        try require((result.config == nil) == result.hasErrors, "neither a configuration nor an error")
        let report = result.report()
        try require(report.isEmpty == result.problems.isEmpty, "problems that the report does not tell")
        let hasControl = report.utf8.contains { $0 < 0x20 && $0 != 0x0A && $0 != 0x09 || $0 == 0x7F }
        try require(!hasControl, "a control character in the report: \(report.debugDescription)")
        for problem in result.problems {
            try require(problem.location.line > 0 && problem.location.column > 0, "a problem at \(problem.location)")
        }
        let again = ConfigLoader.load(record: result.record)
        try require(again.config == result.config, "the record loads as another configuration")
        try require(again.report() == report, "the record has other problems: \(again.report()), not \(report)")
        guard let config = result.config else { return }
        try require(!config.listeners.isEmpty, "a configuration without a listener")
        for listener in config.listeners { _ = Router(config.routes, listener: listener.name) }
        let names = Set(config.upstreams.map(\.name))
        for route in config.routes {
            if case .upstream(let name) = route.action { try require(names.contains(name), "no upstream \(name)") }
        }
    }
}
