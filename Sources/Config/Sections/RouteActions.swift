import HTTP
import YAML

/// `redirect: { to: ..., status: 308 }`.
struct RedirectDraft: ConfigSection {
    var to: Template?
    var status = 307

    static let title = "redirect"
    static let sentence = "Sends the client elsewhere. The target alone is enough."
    static let keys: [ConfigKey<RedirectDraft>] = [
        ConfigKey("to", \.to, .location, isRequired: true, "Where to: a path or a URL, with variables."),
        ConfigKey(
            "status", \.status, .redirectStatus, default: 307,
            "301 and 308 are permanent, and browsers remember them; 307 and 308 keep the method."),
    ]
}

extension ConfigType where Value == Int {
    static var redirectStatus: ConfigType<Int> {
        let words = ["301", "302", "303", "307", "308"]
        return ConfigType<Int>(.words(words), show: { "\($0)" }) { text throws(TextFailure) in
            guard words.contains(text), let status = DecimalNumber.parse(text) else { throw TextFailure() }
            return status
        }
    }
}

extension ConfigType where Value == Template {
    static var location: ConfigType<Template> {
        let type = template("a path or URL")
        return ConfigType<Template>(type.shape, show: type.show) { node, decoder in
            guard !node.isNull else {
                decoder.reportShape(node, expected: "a path or URL")
                return nil
            }
            guard let value = type.read(node, decoder) else { return nil }
            if value.segments == [.literal([])] {
                decoder.report(at: node, "the target is empty")
                return nil
            }
            return value
        }
    }
}

extension ConfigType where Value == RedirectDraft {
    static var redirect: ConfigType<RedirectDraft> {
        let to = ConfigType<Template>.location
        let section = ConfigType<RedirectDraft>.section
        return ConfigType<RedirectDraft>(.either([to.shape, section.shape])) { node, decoder in
            guard case .scalar = node.content, !node.isNull else { return section.read(node, decoder) }
            guard let target = to.read(node, decoder) else { return nil }
            var draft = RedirectDraft()
            draft.to = target
            return draft
        }
    }
}

/// `respond: { status: 200, json: { ok: true } }`.
struct RespondDraft: ConfigSection {
    var response = RouteConfig.Response()
    var text: String?
    var json: [UInt8]?

    static let title = "respond"
    static let sentence = "Answers without a service. The status alone is enough."
    static let keys: [ConfigKey<RespondDraft>] = [
        ConfigKey("status", \.response.status, .integer(200...599), default: 200, "Status of the answer."),
        ConfigKey("text", \.text, .body, otherwise: "no body", "The body as text."),
        ConfigKey("json", \.json, .json, otherwise: "no body", "The body as JSON, written as YAML."),
        ConfigKey(
            "content_type", \.response.contentType, .contentType, otherwise: "from `text` or `json`",
            "Type of the body."),
        ConfigKey("headers", \.response.headers, .responseHeaders, default: [], "Further header lines."),
    ]

    mutating func check(_ reading: SectionReading, _ decoder: ConfigDecoder) {
        if let place = reading.key("json"), reading.entries["text"] != nil {
            decoder.report(at: place, "`text` and `json` exclude each other")
        }
        if let text {
            response.body = Array(text.utf8)
            response.contentType = response.contentType ?? "text/plain; charset=utf-8"
        } else if let json {
            response.body = json
            response.contentType = response.contentType ?? "application/json"
        }
        if [204, 205, 304].contains(response.status), !response.body.isEmpty, let place = reading.key("status") {
            decoder.report(at: place, "an answer with status \(response.status) has no body")
        }
    }
}

extension ConfigType where Value == RespondDraft {
    static var respond: ConfigType<RespondDraft> {
        let status = ConfigType<Int>.integer(200...599)
        let section = ConfigType<RespondDraft>.section
        return ConfigType<RespondDraft>(.either([status.shape, section.shape])) { node, decoder in
            guard case .scalar = node.content, !node.isNull else { return section.read(node, decoder) }
            guard let value = status.read(node, decoder) else { return nil }
            var draft = RespondDraft()
            draft.response.status = value
            return draft
        }
    }
}

extension ConfigType where Value == String {
    /// Any text, also none.
    static var body: ConfigType<String> {
        ConfigType<String>(.text("text"), show: { $0 }) { node, decoder in decoder.text(node)?.text }
    }

    static var contentType: ConfigType<String> {
        text("a content type such as text/html") { text throws(TextFailure) in
            guard text.contains("/"), text.utf8.allSatisfy(ByteClass.isFieldValue) else {
                throw TextFailure("`\(text)` is no content type", help: "write text/html or application/json")
            }
        }
    }
}

extension ConfigType where Value == [UInt8] {
    /// A tree of YAML as JSON text.
    static var json: ConfigType<[UInt8]> {
        ConfigType<[UInt8]>(.json) { node, decoder in
            var writer = JSONWriter()
            return writer.write(node, decoder) ? Array(writer.text.utf8) : nil
        }
    }
}

extension JSONWriter {
    /// Plain `true`, `false`, `null` and numbers of JSON's grammar keep their type; all else is text.
    fileprivate mutating func write(_ node: YAMLNode, _ decoder: ConfigDecoder) -> Bool {
        switch node.content {
        case .mapping(let entries):
            var isSound = true
            object { writer in
                for entry in entries {
                    writer.key(entry.key.text ?? "")
                    isSound = writer.write(entry.value, decoder) && isSound
                }
            }
            return isSound
        case .sequence(let items):
            var isSound = true
            array { writer in
                for item in items { isSound = writer.write(item, decoder) && isSound }
            }
            return isSound
        case .scalar(let written, let style):
            guard let text = decoder.text(node) else { return false }
            if node.isNull {
                raw("null")
            } else if style == .plain, !text.isExpanded,
                written == "true" || written == "false" || Self.isNumber(written)
            {
                raw(written)
            } else {
                string(text.text)
            }
            return true
        }
    }
}

extension ConfigType where Value == [(name: String, value: Template)] {
    static var responseHeaders: ConfigType<[(name: String, value: Template)]> {
        let lines = ConfigType<[HeaderEdits.Line]>.headerLines
        return ConfigType<[(name: String, value: Template)]>(
            lines.shape, show: { $0.isEmpty ? "{}" : nil },
            read: { node, decoder in lines.read(node, decoder)?.map { (name: $0.name, value: $0.value) } })
    }
}

/// `rewrite: { path: ... }`, or one of its two short forms.
struct RewriteDraft: ConfigSection {
    var path: Template?
    var stripPrefix: String?
    var addPrefix: String?

    static let title = "rewrite"
    static let sentence = "The path that the service sees: exactly one of these."
    static let keys: [ConfigKey<RewriteDraft>] = [
        ConfigKey("path", \.path, .rewritePath, "A new path, with variables."),
        ConfigKey("strip_prefix", \.stripPrefix, .plainPath, "Taken from the front, on a border of segments."),
        ConfigKey("add_prefix", \.addPrefix, .plainPath, "Put before the path."),
    ]

    mutating func check(_ reading: SectionReading, _ decoder: ConfigDecoder) {
        if reading.entries.count != 1, !reading.hasUnknownKey {
            decoder.report(
                at: Place(location: reading.place.location),
                "a rewrite has exactly one of `path`, `strip_prefix`, `add_prefix`")
        }
    }
}

extension ConfigType where Value == Template {
    static var rewritePath: ConfigType<Template> {
        let type = template("a path")
        return ConfigType<Template>(type.shape, show: type.show) { node, decoder in
            guard let value = type.read(node, decoder) else { return nil }
            var first: UInt8?
            if case .literal(let bytes)? = value.segments.first { first = bytes.first }
            guard first == 0x2F else {
                decoder.report(at: node, "a path starts with `/`", help: "write /\(node.text ?? "")")
                return nil
            }
            let isSound = value.segments.allSatisfy { segment in
                guard case .literal(let bytes) = segment else { return true }
                return bytes.allSatisfy { ByteClass.isTarget($0) && $0 != 0x3F }
            }
            guard isSound else {
                decoder.report(at: node, "a path has no blanks, `?` and `#`", help: "the query goes on as it is")
                return nil
            }
            return value
        }
    }
}

extension ConfigType where Value == RouteConfig.Rewrite {
    static var rewrite: ConfigType<RouteConfig.Rewrite> {
        let section = ConfigType<RewriteDraft>.section
        return ConfigType<RouteConfig.Rewrite>(section.shape) { node, decoder in
            if node.text != nil, !node.isNull {
                decoder.reportShape(node, expected: "a map such as { path: /new }")
                return nil
            }
            guard let draft = section.read(node, decoder) else { return nil }
            if let path = draft.path { return .path(path) }
            if let prefix = draft.stripPrefix { return .stripPrefix(prefix) }
            return draft.addPrefix.map { .addPrefix($0) }
        }
    }
}

extension RouteConfig.WebSocketPolicy: ConfigSection {
    static let title = "websocket"
    static let sentence = "Limits of WebSockets on this route."
    static let keys: [ConfigKey<RouteConfig.WebSocketPolicy>] = [
        ConfigKey(
            "idle_timeout", \.idleTimeout, .duration(.milliseconds(10)...(.seconds(30 * 86_400))),
            otherwise: "the upstream's `stream_idle`", "Without a byte in either direction; then it is closed."),
        ConfigKey(
            "max_message", \.maxMessage, .size(1...(1 << 40)), otherwise: "no limit",
            "Bytes of one message on the wire; a larger one closes with 1009."),
        ConfigKey(
            "ping_interval", \.pingInterval, .duration(.seconds(1)...(.seconds(86_400))), otherwise: "no pings",
            "How often the gateway pings both sides while they are silent."),
    ]
}

/// `{ present: true }` or `{ regex: "^2" }`.
struct ConditionDraft: ConfigSection {
    var present: Bool?
    var regex: RouteConfig.Pattern?

    static let title = "condition"
    static let sentence =
        "What a header or query parameter must be: exactly one of these. A value alone is compared exactly."
    static let keys: [ConfigKey<ConditionDraft>] = [
        ConfigKey("present", \.present, .boolean, "Whether it must be there, or must not."),
        ConfigKey("regex", \.regex, .pattern, "Expression (RE2) that is searched for anywhere in the value."),
    ]

    mutating func check(_ reading: SectionReading, _ decoder: ConfigDecoder) {
        guard reading.entries.count != 1, !reading.hasUnknownKey else { return }
        decoder.report(
            at: Place(location: reading.place.location), "a condition has exactly one of `present` and `regex`",
            help: "a value to compare with is written alone")
    }
}

extension ConfigType where Value == RouteConfig.Pattern {
    static var pattern: ConfigType<RouteConfig.Pattern> {
        ConfigType<RouteConfig.Pattern>(.text("a regular expression (RE2)"), show: { $0.source }) {
            text throws(TextFailure) in try PatternText.compile(text)
        }
    }
}

extension ConfigType where Value == [RouteConfig.NamedCondition] {
    static func conditions(_ name: ConfigType<String>) -> ConfigType<[RouteConfig.NamedCondition]> {
        let section = ConfigType<ConditionDraft>.section
        let shape = Shape.map(name.shape.phrase, .either([.text("a value"), section.shape]))
        return ConfigType<[RouteConfig.NamedCondition]>(shape, show: { $0.isEmpty ? "{}" : nil }) { node, decoder in
            decoder.mapItems(node, expected: shape.phrase) { entry in
                guard let name = name.read(entry.key, decoder) else { return nil }
                if case .mapping = entry.value.content {
                    guard let draft = section.read(entry.value, decoder) else { return nil }
                    if let present = draft.present { return .init(name: name, condition: .present(present)) }
                    return draft.regex.map {
                        .init(name: name, condition: .regex($0), written: entry.value["regex"]?.text ?? "")
                    }
                }
                if entry.value.isNull {
                    decoder.report(
                        at: entry.key, "`\(entry.key.text ?? "")` has no value",
                        help: "write { present: true } to ask for any value")
                    return nil
                }
                return decoder.text(entry.value).map {
                    .init(name: name, condition: .equals($0.text), written: $0.written)
                }
            }
        }
    }
}
