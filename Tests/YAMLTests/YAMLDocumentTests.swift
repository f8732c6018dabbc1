import Testing

@testable import YAML

@Suite struct YAMLDocumentTests {
    /// The tree in one line: `{a: [b, "c"]}`; quoted scalars with quotes.
    static func flat(_ node: YAMLNode?) -> String {
        guard let node else { return "-" }
        switch node.content {
        case .scalar(let text, .plain): return text
        case .scalar(let text, .block): return "|" + text
        case .scalar(let text, _): return "\"" + text + "\""
        case .sequence(let items): return "[" + items.map(flat).joined(separator: ", ") + "]"
        case .mapping(let entries):
            return "{" + entries.map { "\(flat($0.key)): \(flat($0.value))" }.joined(separator: ", ") + "}"
        }
    }

    static let trees: [(text: String, tree: String)] = [
        ("", "-"),
        ("# only a comment\n", "-"),
        ("\u{FEFF}a: b\n", "{a: b}"),
        ("a: b\r\nc: 'd'\r\n", "{a: b, c: \"d\"}"),
        ("a: no\nb: 010\nc: 1:30\nd: ~\ne:\n", "{a: no, b: 010, c: 1:30, d: ~, e: }"),
        ("- a\n- [b, {c: d}]\n", "[a, [b, {c: d}]]"),
        ("z: 1\na: 2\nm: 3\n", "{z: 1, a: 2, m: 3}"),
        ("a: |\n  x\n  y\n", "{a: |x\ny\n}"),
        ("a: &x {b: 1}\nc: *x\n", "{a: {b: 1}, c: {b: 1}}"),
        ("a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\n", "{a: {b: 1, c: 2}, d: {c: 3, b: 1}}"),
        ("a: &x {b: 1}\nc: &y {b: 2, d: 3}\ne: {<<: [*x, *y]}\n", "{a: {b: 1}, c: {b: 2, d: 3}, e: {b: 1, d: 3}}"),
        ("a: {'<<': 1}\n", "{a: {\"<<\": 1}}"),
        ("a: &x 1\nb: &x 2\nc: *x\n", "{a: 1, b: 2, c: 2}"),
        ("path: /users/{id:[0-9]+}\n", "{path: /users/{id:[0-9]+}}"),
        ("url: http://127.0.0.1:9000 # demo\n", "{url: http://127.0.0.1:9000}"),
    ]

    @Test(arguments: trees)
    func textsBecomeTrees(_ row: (text: String, tree: String)) throws {
        let document = try YAMLDocument(Array(row.text.utf8), file: "f")
        #expect(Self.flat(document.root) == row.tree)
        #expect(document.duplicates.isEmpty)
    }

    @Test func everyNodeKnowsItsPlace() throws {
        let document = try YAMLDocument(Array("a:\n  - é: \"x y\"\n    b: |\n      t\n".utf8), file: "m.yaml")
        let item = try #require(document.root?["a"])
        guard case .sequence(let items) = item.content, case .mapping(let entries) = items[0].content else {
            Issue.record("no list of maps")
            return
        }
        let places = entries.flatMap { [$0.key, $0.value] }.map { [$0.line, $0.column, $0.width] }
        #expect(places == [[2, 5, 1], [2, 8, 5], [3, 5, 1], [3, 8, 1]])
        #expect(entries[0].key.file == "m.yaml")
        #expect([items[0].line, items[0].column] == [2, 5])
    }

    @Test func aliasesAreTheAnchorsNode() throws {
        let document = try YAMLDocument(Array("a: &x [1]\nb: *x\n".utf8), file: "f")
        #expect(document.root?["b"] === document.root?["a"])
        #expect(document.root?["b"]?.line == 1)
    }

    @Test func duplicateKeysAreListedAndTheFirstCounts() throws {
        let document = try YAMLDocument(Array("a: 1\nb: {c: 1, c: 2}\na: 3\n".utf8), file: "f")
        #expect(Self.flat(document.root) == "{a: 1, b: {c: 1}}")
        let places = document.duplicates.map { [$0.first.line, $0.first.column, $0.second.line, $0.second.column] }
        #expect(places == [[2, 5, 2, 11], [1, 1, 3, 1]])
    }

    @Test func nothingAtAllIsNullAndQuotedTextIsNot() throws {
        let document = try YAMLDocument(Array("a:\nb: ~\nc: null\nd: \"\"\ne: 'null'\n".utf8), file: "f")
        #expect(["a", "b", "c", "d", "e"].map { document.root?[$0]?.isNull } == [true, true, true, false, false])
    }
}
