import Testing

@testable import YAML

@Suite struct YAMLErrorTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var text: String
        var line: Int
        var column: Int
        var message: String
        var help: String?
        var testDescription: String { text }

        init(_ text: String, _ line: Int, _ column: Int, _ message: String, _ help: String?) {
            self.text = text
            self.line = line
            self.column = column
            self.message = message
            self.help = help
        }
    }

    static let rows: [Row] = [
        Row(
            "host: *.example.com\n", 1, 7, "`*` starts a YAML alias here",
            "text that begins with `*` must stand in quotes: \"*.example.com\""),
        Row(
            "a: [*.x, b]\n", 1, 5, "`*` starts a YAML alias here",
            "text that begins with `*` must stand in quotes: \"*.x\""),
        Row(
            "path: *foo\n", 1, 7, "`*` starts a YAML alias here, and there is no anchor `&foo` before it",
            "text that begins with `*` must stand in quotes: \"*foo\""),
        Row("a: &x [*x]\n", 1, 8, "the alias `*x` stands inside what it names", nil),
        Row("a: & b\n", 1, 4, "`&` starts a YAML anchor here", "text that begins with `&` must stand in quotes"),
        Row(
            "listen: [::]:8080\n", 1, 9, "`[` starts a YAML list here", "write the address in quotes: \"[::]:8080\""),
        Row(
            "listen:\n  - [::1]:8080\n", 2, 5, "`[` starts a YAML list here",
            "write the address in quotes: \"[::1]:8080\""),
        Row(
            "bind: [\"0.0.0.0:80\", [::]:80]\n", 1, 22, "`{` and `[` cannot begin a key",
            "text that starts with one of them must stand in quotes, such as \"[::]:8080\" or \"{path.id}\""),
        Row(
            "listen: [127.0.0.1:80, :81]\n", 1, 24, "`:` cannot begin a value here",
            "write the address in quotes: \":81\""),
        Row("format: %a %t # x\n", 1, 9, "`%` cannot begin a value", "put the value in quotes: \"%a %t\""),
        Row("{format: %a %t}\n", 1, 10, "`%` cannot begin a value", "put the value in quotes: \"%a %t\""),
        Row(
            "log: { format: %a \"x, y\" {z} , output: x }\n", 1, 16, "`%` cannot begin a value",
            "put the value in quotes: '%a \"x, y\" {z}'"),
        Row("a: @x\n", 1, 4, "`@` cannot begin a value", "put the value in quotes: \"@x\""),
        Row(
            "- { path: /users/{id}, upstream: u }\n", 1, 18, "braces and brackets inside `{ }` must stand in quotes",
            "write \"/users/{id}\""),
        Row(
            "{ path: /files/{rest...} }\n", 1, 16, "braces and brackets inside `{ }` must stand in quotes",
            "write \"/files/{rest...}\""),
        Row("p: {id:[0-9]+}\n", 1, 7, "`:` cannot stand here without quotes", "put the value in quotes"),
        Row(
            "to: {path.rest}/x\n", 1, 16, "text goes on behind a `}` that ends the value",
            "put the whole value in quotes: \"{path.rest}/x\""),
        Row(
            "a:\n\tb: c\n", 2, 1, "a tab stands where YAML takes only spaces",
            "indent with spaces, two for each level"),
        Row(
            "a:\n  b: c\n\td: e\n", 3, 1, "a tab stands where YAML takes only spaces",
            "indent with spaces, two for each level"),
        Row("a: b: c\n", 1, 5, "a second `: ` inside one value", "put the value in quotes: \"b: c\""),
        Row("{ a: X: b }\n", 1, 7, "a second `: ` inside one value", "put the value in quotes"),
        Row(
            "listen:8080\nroutes: x\n", 2, 7, "the line above is no `key: value`",
            "a space must follow the colon: `listen: 8080`"),
        Row(
            "a: b\n  c: d\n", 2, 4, "this line is indented as if it went on with the value above",
            "keys of one map start in the same column; a key with a map below it has no value of its own"),
        Row("a: \"abc\n", 1, 4, "this quote is not closed", nil),
        Row(
            "a: 'it's'\n", 1, 8, "text goes on behind the closing quote",
            "inside single quotes a quote is written twice: ''"),
        Row(
            "a: \"x\\d\"\n", 1, 6, "a backslash in double quotes starts an escape, and this is none",
            "use single quotes, in which a backslash is a backslash"),
        Row(
            "a:\n   b: 1\n  c: 2\n", 3, 3, "this line fits nothing above it",
            "the map that began on line 1 starts each key in column 1; check the indentation"),
        Row(
            "a:\n  - b\n  c: d\n", 3, 3, "this line fits nothing above it",
            "the list that began on line 2 starts each item in column 3; check the indentation"),
        Row("a: [1, 2\nb: c\n", 1, 4, "this `[` is not closed", "add the `]` that belongs to it"),
        Row("a: {b: 1\nc: d\n", 1, 4, "this `{` is not closed", "add the `}` that belongs to it"),
        Row(
            "a: - b\n", 1, 4, "a list cannot begin behind `key:`",
            "start it on the next line, or write it as [a, b]"),
        Row(
            "a: !secret y\n", 1, 4, "`!` starts a YAML tag here, and tags are not used", "put the value in quotes"),
        Row(
            "<<: 1\n", 1, 1, "`<<` merges a map, and this is none",
            "write `<<: *name`, where `&name` stands before a map"),
        Row("a: >x\n", 1, 4, "`>` begins a block of text", "put the value in quotes"),
        Row("%a: b\n", 1, 1, "`%` begins a YAML directive here", "put the key in quotes"),
        Row("a: b\nc: \u{0}\n", 2, 4, "the file must be UTF-8 text: control characters are not allowed", nil),
        Row(
            "---\na: b\n---\nc: d\n", 3, 1, "a second YAML document starts here",
            "remove the `---`; more files can be named under `include:`"),
    ]

    @Test(arguments: rows)
    func slipsAreExplained(_ row: Row) {
        let error = #expect(throws: YAMLError.self) { try YAMLDocument(Array(row.text.utf8), file: "f") }
        let expected = YAMLError(line: row.line, column: row.column, message: row.message, help: row.help)
        #expect(error == expected)
    }

    @Test func bytesThatAreNoUTF8AreRefusedWithTheirPlace() {
        let error = #expect(throws: YAMLError.self) {
            try YAMLDocument([0x61, 0x3A, 0x20, 0x62, 0x0A, 0x63, 0x3A, 0x20, 0xFF, 0x0A], file: "f")
        }
        #expect(error?.line == 2)
        #expect(error?.column == 4)
        #expect(error?.message.hasPrefix("the file must be UTF-8 text") == true)
    }

    @Test func depthIsBounded() {
        let limit = YAMLLimits().depth
        let fits = String(repeating: "[", count: limit) + String(repeating: "]", count: limit)
        #expect(throws: Never.self) { try YAMLDocument(Array(fits.utf8), file: "f") }
        for text in ["[", "{a: ", "- "] {
            let error = #expect(throws: YAMLError.self) {
                try YAMLDocument(Array(String(repeating: text, count: 100_000).utf8), file: "f")
            }
            #expect(error?.message == "more than 64 lists and maps inside each other")
        }
    }

    @Test func depthThroughAliasesIsBounded() {
        var text = "a0: &a0 [x]\n"
        for level in 1...100 { text += "a\(level): &a\(level) [*a\(level - 1)]\n" }
        let error = #expect(throws: YAMLError.self) { try YAMLDocument(Array(text.utf8), file: "f") }
        #expect(error?.message == "more than 64 lists and maps inside each other")
    }

    @Test func expansionOfAliasesIsBounded() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...9 {
            let alias = "*a\(level - 1)"
            text += "a\(level): &a\(level) [" + Array(repeating: alias, count: 10).joined(separator: ", ") + "]\n"
        }
        let error = #expect(throws: YAMLError.self) { try YAMLDocument(Array(text.utf8), file: "f") }
        #expect(error?.message == "the file holds more than 2000000 values, aliases counted in full")
    }

    @Test func sizeIsBounded() {
        var limits = YAMLLimits()
        limits.bytes = 10
        let error = #expect(throws: YAMLError.self) {
            try YAMLDocument(Array("a: 12345678\n".utf8), file: "f", limits: limits)
        }
        #expect(error?.message == "the file has 12 bytes; the limit is 10")
    }

    @Test func everyPrefixAndEveryChangedByteEitherReadsOrFails() {
        let text = Array("a: &x {b: [1, \"2\"], c: 'd'}\ne:\n  <<: *x\n  f: |\n    g\n- h: %\n".utf8)
        for end in text.indices {
            _ = try? YAMLDocument(Array(text[..<end]), file: "f")
            for byte in [UInt8(0), 0x09, 0x0A, 0x2A, 0x3A, 0x5B, 0x7B, 0x80, 0xFF] {
                var changed = text
                changed[end] = byte
                do {
                    _ = try YAMLDocument(changed, file: "f")
                } catch {
                    #expect(error.line >= 1 && error.column >= 1)
                }
            }
        }
    }
}
