import YAML

extension HeadersConfig: ConfigSection {
    static let title = "headers"
    static let sentence = "Changes header lines of requests and responses."
    static let keys: [ConfigKey<HeadersConfig>] = [
        ConfigKey("request", \.request, .section, default: .init(), "Changes on the way to the service."),
        ConfigKey("response", \.response, .section, default: .init(), "Changes on the way to the client."),
    ]
}

extension HeaderEdits: ConfigSection {
    static let title = "header edits"
    static let sentence = "First `remove`, then `set`, then `add`."
    static let keys: [ConfigKey<HeaderEdits>] = [
        ConfigKey("set", \.set, .headerLines, default: [], "Header lines that replace those of the same name."),
        ConfigKey("add", \.add, .headerLines, default: [], "Header lines that join those of the same name."),
        ConfigKey(
            "remove", \.remove, .oneOrMore(.removableFieldName), default: [], "Names of lines that are taken out."),
    ]
}

extension ConfigType where Value == [HeaderEdits.Line] {
    /// A map from names to templates.
    static var headerLines: ConfigType<[HeaderEdits.Line]> {
        let name = ConfigType<String>.settableFieldName
        let value = ConfigType<Template>.template("a header value")
        let shape = Shape.map(name.shape.phrase, value.shape)
        return ConfigType<[HeaderEdits.Line]>(shape, show: { $0.isEmpty ? "{}" : nil }) { node, decoder in
            decoder.mapItems(node, expected: shape.phrase) { entry in
                warnOfSecret(entry, decoder)
                guard let name = name.read(entry.key, decoder), let value = value.read(entry.value, decoder) else {
                    return nil
                }
                return HeaderEdits.Line(name: name, value: value)
            }
        }
    }

    /// Fields whose value is a secret when it is written out.
    private static let secretFields: Set<String> = [
        "authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token",
    ]

    private static func warnOfSecret(_ entry: YAMLNode.Entry, _ decoder: ConfigDecoder) {
        guard let name = entry.key.text, secretFields.contains(name.lowercased()), let text = entry.value.text,
            !text.isEmpty, !text.contains("${"), !text.contains("{")
        else { return }
        decoder.reportSecret(
            .warning, at: entry.value, "a secret stands in the file",
            help: "keep it outside: \"${credential:name}\", \"${env:NAME}\" or \"${file:/path}\"")
    }
}
