import RegularExpression
import Testing
import YAML

@testable import Config

@Suite struct SchemaTests {
    static let schema = try? YAMLDocument(Array(ConfigSchema.json().utf8), file: "schema.json").root

    @Test func theSchemaIsJSONWithAllSections() throws {
        let definitions = try #require(Self.schema?["$defs"])
        guard case .mapping(let entries) = definitions.content else {
            Issue.record("no map")
            return
        }
        #expect(entries.count == SectionIndex.all.count + 1)
        #expect(Set(entries.compactMap(\.key.text)).count == entries.count)
        for section in SectionIndex.all {
            let definition = definitions[section.title.replacing(" ", with: "-")]
            for row in section.rows() { #expect(definition?["properties"]?[row.name] != nil) }
        }
    }

    static let valid: [String] = [
        "listen: 127.0.0.1:8080\nroutes: [{ path: /*, upstream: \"http://127.0.0.1:9000\" }]\n",
        "listen: [\"[::]:80\", { unix: /x, mode: \"0660\" }]\nworkers: ${env:N}\ndrain_timeout: 1m30s\n",
        "routes: [{ path: /, headers: { X-Version: 2, Y: { present: yes } }, redirect: { to: /x, status: 308 } }]\n",
        "middleware: { a: { rate_limit: 100/s }, b: { body_limit: { max: 1MiB } } }\nx-anything: [1, { a: b }]\n",
        "access_log: off\n", "upstreams: { a: { endpoints: [\"http://a\"], balance: { hash: client_ip } } }\n",
    ]

    @Test(arguments: valid)
    func validFilesMatchTheSchema(_ text: String) throws {
        let root = try #require(try YAMLDocument(Array(text.utf8), file: "f").root)
        let schema = try #require(Self.schema)
        #expect(SchemaValidator(root: schema).problems(of: root) == [])
    }

    static let invalid: [String] = [
        "listn: x\n", "workers: 0\n", "workers: many\n", "drain_timeout: 30\n", "log: { level: loud }\n",
        "routes: { a: b }\n",
        "upstreams: { a: { endpoint: x } }\n", "admin: 127.0.0.1:1\n",
        "middleware: { a: { rate_limit: { burst: 1 } } }\n",
    ]

    @Test(arguments: invalid)
    func invalidFilesDoNotMatchTheSchema(_ text: String) throws {
        let root = try #require(try YAMLDocument(Array(text.utf8), file: "f").root)
        let schema = try #require(Self.schema)
        #expect(SchemaValidator(root: schema).problems(of: root) != [])
    }

    @Test(arguments: ExampleTests.files)
    func shippedFilesMatchTheSchema(_ path: String) throws {
        let bytes = try DiskFile.read(path, limit: 1 << 20)
        let root = try #require(try YAMLDocument(bytes, file: path).root)
        let schema = try #require(Self.schema)
        #expect(SchemaValidator(root: schema).problems(of: root) == [])
    }

    @Test func customKindsAreInTheSchemaAndTheReference() throws {
        let kind = CustomKind(
            "tenant", "Finds the tenant.", keys: [.init("header", .text, isRequired: true, "Where it stands.")])
        let root = try YAMLDocument(Array(ConfigSchema.json(customKinds: [kind]).utf8), file: "s").root
        #expect(root?["$defs"]?["middleware"]?["properties"]?["tenant"]?["$ref"]?.text == "#/$defs/tenant")
        #expect(root?["$defs"]?["tenant"]?["properties"]?["header"] != nil)
        #expect(
            ConfigReference.markdown(customKinds: [kind]).contains("| `header` | text | required | Where it stands. |"))
    }

    @Test func theReferenceHasEveryKeyOfEverySection() {
        let page = ConfigReference.markdown()
        for section in SectionIndex.all {
            #expect(page.contains(section.sentence))
            for row in section.rows() where !row.isLater {
                #expect(page.contains("| `\(row.name)` |"))
                #expect(page.contains(row.sentence.replacing("|", with: "\\|")))
            }
        }
        #expect(page.contains("| `head` | size, 1KiB to 256KiB | `32KiB` |"))
        #expect(page.contains("Not in this version: `jwt`."))
    }
}

/// As much of JSON Schema as `ConfigSchema` uses, over YAML trees.
struct SchemaValidator {
    let root: YAMLNode

    func problems(of node: YAMLNode) -> [String] { check(node, root, path: "") }

    private func check(_ node: YAMLNode, _ schema: YAMLNode, path: String) -> [String] {
        var found: [String] = []
        if schema["not"] != nil { found.append("\(path): not allowed") }
        if let reference = schema["$ref"]?.text {
            let name = String(reference.dropFirst("#/$defs/".count))
            guard let target = root["$defs"]?[name] else { return ["no definition \(name)"] }
            found += check(node, target, path: path)
        }
        if let choices = schema["anyOf"], case .sequence(let items) = choices.content {
            let results = items.map { check(node, $0, path: path) }
            if !results.contains([]) { found += results.first ?? ["\(path): no choice"] }
        }
        if let type = schema["type"], !types(type).contains(where: { kinds(node).contains($0) }) {
            found.append("\(path): is \(kinds(node)), not \(types(type))")
        }
        if let values = schema["enum"], case .sequence(let items) = values.content,
            !items.contains(where: { $0.text == node.text })
        {
            found.append("\(path): \(node.text ?? "?") is none of the words")
        }
        if let pattern = schema["pattern"]?.text, let text = node.text {
            let bytes = Array(text.utf8)
            if (try? RegularExpression(pattern))?.isFound(in: bytes.span) != true {
                found.append("\(path): \(text) !~ \(pattern)")
            }
        }
        if let minimum = schema["minimum"]?.text.flatMap(Int.init), let value = node.text.flatMap(Int.init),
            value < minimum
        {
            found.append("\(path): \(value) < \(minimum)")
        }
        if let maximum = schema["maximum"]?.text.flatMap(Int.init), let value = node.text.flatMap(Int.init),
            value > maximum
        {
            found.append("\(path): \(value) > \(maximum)")
        }
        return found + checkMembers(node, schema, path: path)
    }

    private func checkMembers(_ node: YAMLNode, _ schema: YAMLNode, path: String) -> [String] {
        var found: [String] = []
        if case .sequence(let items) = node.content, let item = schema["items"] {
            for (index, value) in items.enumerated() { found += check(value, item, path: "\(path)/\(index)") }
        }
        guard case .mapping(let entries) = node.content else { return found }
        if let required = schema["required"], case .sequence(let names) = required.content {
            for name in names where node[name.text ?? ""] == nil { found.append("\(path): lacks \(name.text ?? "")") }
        }
        for entry in entries {
            let name = entry.key.text ?? ""
            if let property = schema["properties"]?[name] {
                found += check(entry.value, property, path: "\(path)/\(name)")
            } else if name.hasPrefix("x-"), schema["patternProperties"]?["^x-"] != nil {
                continue
            } else if let others = schema["additionalProperties"] {
                found +=
                    others.text == "false"
                    ? ["\(path): unknown \(name)"] : check(entry.value, others, path: "\(path)/\(name)")
            }
        }
        return found
    }

    private func types(_ node: YAMLNode) -> [String] {
        if case .sequence(let items) = node.content { return items.compactMap(\.text) }
        return [node.text ?? ""]
    }

    /// Types as an editor with YAML 1.2 sees them.
    private func kinds(_ node: YAMLNode) -> [String] {
        switch node.content {
        case .mapping: return ["object"]
        case .sequence: return ["array"]
        case .scalar(let text, .plain):
            if node.isNull { return ["null"] }
            if text == "true" || text == "false" { return ["boolean"] }
            if Int(text) != nil { return ["integer", "number"] }
            return JSONWriter.isNumber(text) ? ["number"] : ["string"]
        case .scalar: return ["string"]
        }
    }
}
