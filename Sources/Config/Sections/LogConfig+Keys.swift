import HTTP
import YAML

extension LogConfig: ConfigSection {
    static let title = "log"
    static let sentence = "The gateway's own messages."
    static let keys: [ConfigKey<LogConfig>] = [
        ConfigKey("level", \.level, .word, default: .info, "Messages of this level and above are written."),
        ConfigKey("format", \.format, .word, default: .text, "`text` for people, `json` for collectors."),
        ConfigKey("output", \.output, .logOutput, default: .stderr, "Where messages go."),
    ]
}

extension AccessLogConfig: ConfigSection {
    static let title = "access log"
    static let sentence = "One line for each exchange."
    static let keys: [ConfigKey<AccessLogConfig>] = [
        ConfigKey(
            "format", \.format, .accessLogFormat, default: .json,
            "`json`, `common`, `combined`, or a pattern such as `'%a %t \"%r\" %s %b %Tf'`."),
        ConfigKey("output", \.output, .logOutput, default: .stdout, "Where lines go."),
    ]
}

extension ConfigType where Value == LogOutput {
    static var logOutput: ConfigType<LogOutput> {
        let words: [(String, LogOutput)] = [("stdout", .stdout), ("stderr", .stderr), ("journald", .journald)]
        let shape = Shape.either([.words(words.map(\.0)), .text("the absolute path of a file")])
        return ConfigType<LogOutput>(
            shape,
            show: { output in
                if case .file(let path) = output { return path }
                return words.first { $0.1 == output }?.0
            },
            parse: { text throws(TextFailure) in
                if let found = words.first(where: { $0.0 == text }) { return found.1 }
                guard text.hasPrefix("/") else {
                    throw TextFailure(
                        help: Suggestion.nearest(to: text, among: words.map(\.0)).map { "did you mean `\($0)`?" }
                            ?? "a file's path starts with `/`")
                }
                return .file(text)
            })
    }
}

extension ConfigType where Value == AccessLogConfig.Format {
    static var accessLogFormat: ConfigType<AccessLogConfig.Format> {
        let words: [(String, AccessLogConfig.Format)] = [
            ("json", .json), ("common", .common), ("combined", .combined),
        ]
        let shape = Shape.either([.words(words.map(\.0)), .text("a pattern of % directives")])
        return ConfigType<AccessLogConfig.Format>(
            shape,
            show: { format in
                if case .pattern(let text) = format { return "'\(text)'" }
                return words.first { $0.1 == format }?.0
            },
            parse: { text throws(TextFailure) in
                if let found = words.first(where: { $0.0 == text }) { return found.1 }
                guard text.contains("%") else {
                    throw TextFailure(
                        help: Suggestion.nearest(to: text, among: words.map(\.0)).map { "did you mean `\($0)`?" })
                }
                try AccessLogPattern.check(text)
                return .pattern(text)
            })
    }
}

/// The directives of an access log pattern, as aiohttp has them.
enum AccessLogPattern {
    static let directives = ["a", "t", "P", "r", "s", "b", "T", "Tf", "D", "%"]

    static func check(_ text: String) throws(TextFailure) {
        var rest = Substring(text)
        while let percent = rest.firstIndex(of: "%") {
            rest = rest[rest.index(after: percent)...]
            if rest.hasPrefix("{") {
                try checkNamed(&rest)
            } else if rest.hasPrefix("Tf") {
                rest = rest.dropFirst(2)
            } else if let first = rest.first, directives.contains(String(first)) {
                rest = rest.dropFirst()
            } else {
                throw unknown("%\(rest.prefix(1))")
            }
        }
    }

    private static func checkNamed(_ rest: inout Substring) throws(TextFailure) {
        guard let end = rest.firstIndex(of: "}") else {
            throw TextFailure("`%{` is not closed", help: "write %{Name}i")
        }
        let name = rest[rest.index(after: rest.startIndex)..<end]
        rest = rest[rest.index(after: end)...]
        guard let kind = rest.first, kind == "i" || kind == "o" else { throw unknown("%{\(name)}\(rest.prefix(1))") }
        guard !name.isEmpty, name.utf8.allSatisfy(ByteClass.isToken) else {
            throw TextFailure("`\(name)` is no header name")
        }
        rest = rest.dropFirst()
    }

    private static func unknown(_ found: String) -> TextFailure {
        TextFailure(
            "unknown directive `\(found)`",
            help: "directives are %a %t %P %r %s %b %T %Tf %D %{Name}i %{Name}o, and %% for the sign itself")
    }
}
