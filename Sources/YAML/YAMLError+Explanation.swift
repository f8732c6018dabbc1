/// What libyaml said, before it is put into words for people.
struct YAMLFailure {
    var problem: String
    var context: String
    /// Where it noticed; from 1.
    var line: Int
    var column: Int
    /// Where what it was reading began; from 1.
    var contextLine: Int
    var contextColumn: Int
}

/// Says what to write instead for the slips that people make, by looking at the place in the text.
struct YAMLExplanation {
    private let failure: YAMLFailure
    /// Characters of the line where the error was noticed.
    private let line: [Character]
    /// The same where its context began.
    private let contextLine: [Character]
    /// The line with something on it before `line`.
    private let previous: [Character]

    init(_ failure: YAMLFailure, in bytes: [UInt8]) {
        self.failure = failure
        let lines = SourceLines(bytes)
        line = Array(lines[failure.line] ?? "")
        contextLine = Array(lines[failure.contextLine] ?? "")
        var number = failure.line - 1
        while number > 1, lines[number]?.allSatisfy({ $0 == " " }) ?? false { number -= 1 }
        previous = Array(lines[number] ?? "")
    }

    var error: YAMLError {
        switch failure.problem {
        case let text where failure.context.contains("alias") && text.contains("alphabetic"):
            return inContext(
                "`*` starts a YAML alias here",
                help: "text that begins with `*` must stand in quotes: \"\(word(contextLine, failure.contextColumn))\"")
        case let text where failure.context.contains("anchor") && text.contains("alphabetic"):
            return inContext("`&` starts a YAML anchor here", help: "text that begins with `&` must stand in quotes")
        case "found character that cannot start any token":
            return tokenStart
        case "found a tab character that violates indentation":
            return tab
        case "mapping values are not allowed in this context":
            return misplacedColon
        case "did not find expected ',' or '}'", "did not find expected ',' or ']'":
            return flow
        case "did not find expected node content":
            return missingContent
        case "did not find expected key", "did not find expected '-' indicator",
            "did not find expected <document start>":
            return misplacedLine
        default:
            return rest
        }
    }

    // MARK: Kinds of slip

    private var tokenStart: YAMLError {
        guard let character = character(failure.column), character != "\t" else { return tab }
        return here(
            "`\(character)` cannot begin a value",
            help: "put the value in quotes: \(quoted(from: failure.column))")
    }

    private var tab: YAMLError {
        here("a tab stands where YAML takes only spaces", help: "indent with spaces, two for each level")
    }

    private var misplacedColon: YAMLError {
        if let start = valueStart(before: failure.column) {
            return here(
                "a second `: ` inside one value",
                help: "put the value in quotes: \(quoted(from: start))")
        }
        if let colon = previous.firstIndex(of: ":"), colon + 1 < previous.count, previous[colon + 1] != " ",
            valueStart(in: previous, before: previous.count) == nil
        {
            var fixed = previous
            fixed.insert(" ", at: colon + 1)
            return here(
                "the line above is no `key: value`",
                help: "a space must follow the colon: `\(trimmed(String(fixed)))`")
        }
        return here(
            "this line is indented as if it went on with the value above",
            help: "keys of one map start in the same column; a key with a map below it has no value of its own")
    }

    private var flow: YAMLError {
        let closer = failure.problem.hasSuffix("'}'") ? "}" : "]"
        if failure.line != failure.contextLine {
            let opener = closer == "}" ? "{" : "["
            return inContext("this `\(opener)` is not closed", help: "add the `\(closer)` that belongs to it")
        }
        switch character(failure.column) {
        case "{", "[":
            return here(
                "braces and brackets inside `\(closer == "}" ? "{ }" : "[ ]")` must stand in quotes",
                help: "write \"\(word(line, failure.column))\"")
        case ":":
            return here("a second `: ` inside one value", help: "put the value in quotes")
        default:
            return here(
                "expected `,` or `\(closer)`",
                help: "a text with special characters must stand in quotes inside `{ }` and `[ ]`")
        }
    }

    private var missingContent: YAMLError {
        let text = word(line, failure.column)
        if text.contains("]:") {
            let start = max(1, failure.column - (character(failure.column) == "[" ? 0 : 1))
            var error = here("`[` starts a YAML list here", help: "write the address in quotes: \"\(text)\"")
            error.column = start
            return error
        }
        if character(failure.column) == ":", text.hasPrefix(":"), text.count > 1 {
            return here("`:` cannot begin a value here", help: "write the address in quotes: \"\(text)\"")
        }
        let found = character(failure.column).map { "`\($0)`" } ?? "the end of the line"
        return here("\(found) where a value is expected", help: "a text with special characters must stand in quotes")
    }

    private var misplacedLine: YAMLError {
        let before = line.prefix(max(0, failure.column - 1)).last { $0 != " " }
        switch before {
        case "}", "]":
            return here(
                "text goes on behind a `\(before ?? "}")` that ends the value",
                help: "put the whole value in quotes: \(quoted(from: valueStart(before: failure.column) ?? 1))")
        case "\"", "'":
            return here(
                "text goes on behind the closing quote",
                help: before == "'" ? "inside single quotes a quote is written twice: ''" : "quote the whole value")
        default:
            let kind = failure.problem.contains("'-'") ? "list" : "map"
            return here(
                "this line fits nothing above it",
                help: "the \(kind) that began on line \(failure.contextLine) starts each "
                    + "\(kind == "list" ? "item" : "key") in column \(failure.contextColumn); check the indentation")
        }
    }

    private var rest: YAMLError {
        switch failure.problem {
        case "could not find expected ':'":
            return inContext("expected `key: value`", help: "text of more than one line must be indented")
        case "found unexpected end of stream":
            return inContext("this quote is not closed")
        case "found unknown escape character", "did not find expected hexdecimal number":
            return here(
                "a backslash in double quotes starts an escape, and this is none",
                help: "use single quotes, in which a backslash is a backslash")
        case "found unexpected ':'":
            return here("`:` cannot stand here without quotes", help: "put the value in quotes")
        case "block sequence entries are not allowed in this context":
            return here(
                "a list cannot begin behind `key:`", help: "start it on the next line, or write it as [a, b]")
        case "did not find expected comment or line break":
            return inContext(
                "`\(contextLine.dropFirst(failure.contextColumn - 1).first ?? "|")` begins a block of text",
                help: "put the value in quotes")
        case _ where failure.context.contains("directive"):
            return inContext("`%` begins a YAML directive here", help: "put the key in quotes")
        default:
            let context = failure.context.isEmpty ? "" : " \(failure.context)"
            return here(failure.problem + context)
        }
    }

    // MARK: Looking at the line

    private func here(_ message: String, help: String? = nil) -> YAMLError {
        YAMLError(line: failure.line, column: failure.column, message: message, help: help)
    }

    private func inContext(_ message: String, help: String? = nil) -> YAMLError {
        YAMLError(line: failure.contextLine, column: failure.contextColumn, message: message, help: help)
    }

    private func character(_ column: Int) -> Character? {
        column >= 1 && column <= line.count ? line[column - 1] : nil
    }

    /// The column behind the first `: ` (or `- `) that stands before `column`.
    private func valueStart(before column: Int) -> Int? { valueStart(in: line, before: column) }

    private func valueStart(in line: [Character], before column: Int) -> Int? {
        for index in line.indices where index + 2 < column && index + 1 < line.count {
            if line[index] == ":", line[index + 1] == " " { return index + 3 }
        }
        return nil
    }

    /// The rest of the line without a comment and blanks at its ends, in the kind of quotes that it does not have.
    private func quoted(from column: Int) -> String {
        var text = line.dropFirst(column - 1)
        if let comment = text.indices.first(where: { text[$0] == "#" && $0 > 0 && line[$0 - 1] == " " }) {
            text = text[..<comment]
        }
        let value = trimmed(String(endOfItem(text, after: line[..<(column - 1)]).map { text[..<$0] } ?? text))
        return value.contains("\"") ? "'\(value.replacing("'", with: "''"))'" : "\"\(value)\""
    }

    /// Where a value inside `{ }` or `[ ]` ends: at a comma of theirs, or at the closing one.
    private func endOfItem(_ text: ArraySlice<Character>, after before: ArraySlice<Character>) -> Int? {
        let isInside = before.count { $0 == "{" || $0 == "[" } > before.count { $0 == "}" || $0 == "]" }
        var depth = 0
        var isQuoted = false
        for (index, character) in zip(text.indices, text) {
            switch character {
            case "\"": isQuoted.toggle()
            case _ where isQuoted: break
            case "{", "[": depth += 1
            case "}", "]":
                guard depth > 0 else { return index }
                depth -= 1
            case "," where isInside && depth == 0: return index
            default: break
            }
        }
        return nil
    }

    /// What stands around a column without blanks and commas.
    private func word(_ line: [Character], _ column: Int) -> String {
        guard column >= 1, column <= line.count else { return "" }
        let isEnd: (Character) -> Bool = { $0 == " " || $0 == "," || $0 == "\"" }
        let start = line[..<(column - 1)].lastIndex(where: isEnd).map { $0 + 1 } ?? 0
        let end = line[(column - 1)...].firstIndex(where: isEnd) ?? line.count
        guard start < end else { return "" }
        var text = line[start..<end]
        while let last = text.last, let opener = Self.opener(of: last), excess(of: last, over: opener, text) {
            text = text.dropLast()
        }
        while let first = text.first, let closer = Self.closer(of: first), excess(of: first, over: closer, text) {
            text = text.dropFirst()
        }
        return String(text)
    }

    private static func opener(of closer: Character) -> Character? {
        switch closer {
        case "}": "{"
        case "]": "["
        default: nil
        }
    }

    private static func closer(of opener: Character) -> Character? {
        switch opener {
        case "{": "}"
        case "[": "]"
        default: nil
        }
    }

    private func excess(of one: Character, over other: Character, _ text: ArraySlice<Character>) -> Bool {
        text.count { $0 == one } > text.count { $0 == other }
    }

    private func trimmed(_ text: String) -> String {
        var text = text[...]
        while text.first == " " { text = text.dropFirst() }
        while text.last == " " { text = text.dropLast() }
        return String(text)
    }
}
