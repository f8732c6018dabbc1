/// The key tables as a JSON Schema (2020-12) that editors use to complete and check `martlet.yaml`.
///
/// Looser than the loader where a schema cannot say it: names, URLs and paths are only text here.
package enum ConfigSchema {
    /// A document that ends with a newline.
    package static func json(customKinds: [CustomKind] = []) -> String {
        let sections = SectionIndex.all + customKinds.map(\.info)
        var writer = JSONWriter(isIndented: true)
        writer.object { writer in
            writer.member("$schema", "https://json-schema.org/draft/2020-12/schema")
            writer.member("title", "Martlet configuration")
            writer.member("$ref", "#/$defs/\(name(of: GatewayDraft.title))")
            writer.key("$defs")
            writer.object { writer in
                writer.key("expansion")
                writer.object { writer in
                    writer.member("description", "${env:NAME}, ${env:NAME:-default}, ${file:/path}, ${credential:name}")
                    writer.member("type", "string")
                    writer.member("pattern", expansion)
                }
                for section in sections {
                    var rows = section.rows()
                    if section.title == MiddlewareChoice.title { rows += customKinds.map(row) }
                    writer.key(name(of: section.title))
                    write(section, rows, to: &writer)
                }
            }
        }
        return writer.text + "\n"
    }

    private static let expansion = #"\$\{(env|file|credential):"#

    private static func name(of title: String) -> String { title.replacing(" ", with: "-") }

    private static func row(_ kind: CustomKind) -> KeyInfo {
        KeyInfo(
            name: kind.name, shape: .section(kind.info), standard: nil, isRequired: false, isLater: false,
            sentence: kind.sentence)
    }

    private static func write(_ section: SectionInfo, _ rows: [KeyInfo], to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("description", section.sentence)
            writer.key("type")
            writer.array { writer in
                writer.string("object")
                if !rows.contains(where: \.isRequired) { writer.string("null") }
            }
            writer.key("properties")
            writer.object { writer in
                for row in rows {
                    writer.key(row.name)
                    write(row, to: &writer)
                }
            }
            let required = rows.filter(\.isRequired).map(\.name)
            if !required.isEmpty {
                writer.key("required")
                writer.array { writer in for name in required { writer.string(name) } }
            }
            if section.title == GatewayDraft.title {
                writer.key("patternProperties")
                writer.object { writer in
                    writer.key("^x-")
                    writer.raw("true")
                }
            }
            writer.key("additionalProperties")
            writer.raw("false")
        }
    }

    private static func write(_ row: KeyInfo, to writer: inout JSONWriter) {
        writer.object { writer in
            let standard = row.standard.map { " Default: \($0)." } ?? ""
            writer.member("description", row.isLater ? "\(row.sentence) Not in this version." : row.sentence + standard)
            if row.isLater {
                writer.key("not")
                writer.object { _ in }
            } else {
                writeMembers(row.shape, to: &writer)
            }
        }
    }

    private static func write(_ shape: Shape, to writer: inout JSONWriter) {
        writer.object { writeMembers(shape, to: &$0) }
    }

    /// The keywords of a shape, into an object that is open.
    private static func writeMembers(_ shape: Shape, to writer: inout JSONWriter) {
        switch shape {
        case .text:
            // Typed by us, not by YAML: `X-Version: 2` is text.
            writer.key("type")
            writer.array { writer in for type in ["string", "number", "boolean"] { writer.string(type) } }
        case .boolean:
            anyOf(&writer) { writer in
                writer.object { writer in
                    writer.key("enum")
                    writer.array { writer in
                        for literal in ["true", "false"] { writer.raw(literal) }
                        for word in ["yes", "no", "on", "off"] { writer.string(word) }
                    }
                }
            }
        case .integer(let range):
            anyOf(&writer) { writer in
                writer.object { writer in
                    writer.member("type", "integer")
                    writer.key("minimum")
                    writer.raw("\(range.lowerBound)")
                    writer.key("maximum")
                    writer.raw("\(range.upperBound)")
                }
            }
        case .duration: pattern(#"^([0-9]+(ms|us|[dhms]))+$"#, &writer)
        case .size: pattern(#"^[0-9]+([KMGT]i?B|kB|B)$"#, &writer)
        case .percent: pattern(#"^[0-9]+%$"#, &writer)
        case .rate: pattern(#"^[0-9]+/[smhd]$"#, &writer)
        case .words(let words):
            anyOf(&writer) { writer in
                writer.object { writer in
                    writer.key("enum")
                    writer.array { writer in
                        for word in words {
                            writer.string(word)
                            if JSONWriter.isNumber(word) { writer.raw(word) }
                            if word == "off" { writer.raw("false") }
                        }
                    }
                }
            }
        case .list(let item):
            writer.key("type")
            writer.array { writer in for type in ["array", "null"] { writer.string(type) } }
            writer.key("items")
            write(item, to: &writer)
        case .map(_, let value):
            writer.key("type")
            writer.array { writer in for type in ["object", "null"] { writer.string(type) } }
            writer.key("additionalProperties")
            write(value, to: &writer)
        case .section(let info):
            writer.member("$ref", "#/$defs/\(name(of: info.title))")
        case .json:
            break
        case .either(let shapes):
            writer.key("anyOf")
            writer.array { writer in for shape in shapes { write(shape, to: &writer) } }
        }
    }

    /// The alternative that `body` writes, or a text with `${…}`.
    private static func anyOf(_ writer: inout JSONWriter, _ body: (inout JSONWriter) -> Void) {
        writer.key("anyOf")
        writer.array { writer in
            body(&writer)
            writer.object { $0.member("$ref", "#/$defs/expansion") }
        }
    }

    private static func pattern(_ pattern: String, _ writer: inout JSONWriter) {
        anyOf(&writer) { writer in
            writer.object { writer in
                writer.member("type", "string")
                writer.member("pattern", pattern)
            }
        }
    }
}
