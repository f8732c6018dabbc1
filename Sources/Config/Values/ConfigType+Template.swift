import HTTP
import YAML

extension ConfigType where Value == Variable {
    /// A variable's bare name, as `key:` and `hash:` take it.
    static var variable: ConfigType<Variable> {
        let shape = Shape.text("a variable such as client_ip or header.X-User")
        return ConfigType<Variable>(shape, show: { VariableText.write($0) }) { node, decoder in
            guard !node.isNull, node.text != nil else {
                decoder.reportShape(node, expected: shape.phrase)
                return nil
            }
            guard let text = decoder.text(node) else { return nil }
            let name = text.text
            guard !name.hasPrefix("{") || text.isExpanded else {
                let bare = name.filter { !"{}".contains($0) }
                decoder.report(at: node, "a key takes the variable's bare name", help: "write \(bare)")
                return nil
            }
            do throws(TextFailure) {
                let variable = try VariableText.parse(name)
                if case .pathParameter(let parameter) = variable { decoder.useParameter(parameter, at: Place(node)) }
                return variable
            } catch {
                decoder.report(
                    at: node, text.isExpanded ? "\(text.shown) is no variable" : error.message ?? "",
                    help: text.isExpanded ? nil : error.help)
                return nil
            }
        }
    }
}

extension ConfigType where Value == Template {
    /// Text with `{variables}` whose literal bytes a field value may hold.
    static func template(_ kind: String) -> ConfigType<Template> {
        ConfigType<Template>(.text(kind), show: { $0.source }) { node, decoder in
            guard node.text != nil else {
                decoder.reportShape(node, expected: kind)
                return nil
            }
            guard let text = decoder.text(node) else { return nil }
            var reader = TemplateReader(text: text)
            return reader.read(decoder)
        }
    }
}

/// Reads a template once. Only what stands in the file is looked at for braces, never what `${…}` brought.
private struct TemplateReader {
    let text: ExpandedText
    private var segments: [Template.Segment] = []
    private var literal: [UInt8] = []
    private var isSound = true

    init(text: ExpandedText) { self.text = text }

    mutating func read(_ decoder: ConfigDecoder) -> Template? {
        for part in text.parts {
            if part.isExpanded {
                append(literal: part.text.utf8, offset: part.offset, isExpanded: true, decoder)
            } else {
                read(part, decoder)
            }
        }
        flush()
        guard isSound else { return nil }
        return Template(segments: segments.isEmpty ? [.literal([])] : segments, source: text.written)
    }

    private mutating func read(_ part: ExpandedText.Part, _ decoder: ConfigDecoder) {
        let scalars = Array(part.text.unicodeScalars)
        var index = 0
        while index < scalars.count {
            let offset = part.offset + index
            guard scalars[index] == "{" else {
                append(literal: String(scalars[index]).utf8, offset: offset, isExpanded: false, decoder)
                index += 1
                continue
            }
            if index + 1 < scalars.count, scalars[index + 1] == "{" {
                literal.append(0x7B)
                index += 2
                continue
            }
            guard let end = scalars[index...].firstIndex(of: "}") else {
                fail(offset, scalars.count - index, "`{` is not closed", "write {{ for a brace itself", decoder)
                return
            }
            var name = String.UnicodeScalarView()
            name.append(contentsOf: scalars[(index + 1)..<end])
            variable(String(name), offset: offset, decoder)
            index = end + 1
        }
    }

    private mutating func variable(_ name: String, offset: Int, _ decoder: ConfigDecoder) {
        let width = name.unicodeScalars.count + 2
        do throws(TextFailure) {
            let variable = try VariableText.parse(name)
            if case .pathParameter(let parameter) = variable {
                decoder.useParameter(parameter, at: Place(text.node, offset: offset, width: width))
            }
            flush()
            segments.append(.variable(variable))
        } catch {
            fail(offset, width, error.message ?? "", error.help, decoder)
        }
    }

    private mutating func append(
        literal bytes: String.UTF8View, offset: Int, isExpanded: Bool, _ decoder: ConfigDecoder
    ) {
        guard bytes.allSatisfy(ByteClass.isFieldValue) else {
            let found = isExpanded ? "\(text.shown) has" : "the text has"
            fail(offset, 1, "\(found) a line break or another control character", nil, decoder)
            return
        }
        literal += bytes
    }

    private mutating func flush() {
        if !literal.isEmpty { segments.append(.literal(literal)) }
        literal = []
    }

    private mutating func fail(
        _ offset: Int, _ width: Int, _ message: String, _ help: String?, _ decoder: ConfigDecoder
    ) {
        if isSound || help != nil {
            decoder.report(at: Place(text.node, offset: offset, width: width), message, help: help)
        }
        isSound = false
    }
}
