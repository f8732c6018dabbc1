import Testing
import YAML

@testable import Config

/// The key tables against the types that they fill.
@Suite struct KeyTableTests {
    /// What can be asked about a section without its type.
    struct Table: Sendable, CustomTestStringConvertible {
        var title: String
        var rows: [String]
        var properties: [String]
        /// Key, default in the row, default of the type.
        var defaults: [(key: String, row: String?, type: String?)]
        /// What is wrong after reading a value that is not the default.
        var readBack: @Sendable () -> [String]
        var testDescription: String { title }
    }

    static let tables: [Table] = [
        table(
            GatewayDraft.self, flattening: ["config"],
            besides: ["listeners", "metrics", "admin", "upstreams", "middleware", "routes"],
            twice: true),
        table(MetricsDraft.self), table(AdminDraft.self),
        table(DefaultsDraft.self), table(LogConfig.self), table(AccessLogConfig.self),
        table(
            ListenerDraft.self, flattening: ["config"], besides: ["name", "location", "bind", "protocols", "tls"],
            renamed: ["redirect_to_h_t_t_p_s": "redirect_to_https"], twice: true),
        table(
            ListenerTLSDraft.self, flattening: ["config"], besides: ["certificates", "policy", "hosts"], twice: true),
        table(CertificateDraft.self, besides: ["certificate"]), table(TLSHostDraft.self, besides: ["reading"]),
        table(ClientAuthDraft.self, besides: ["choice"]),
        table(UpstreamTLSDraft.self, besides: ["authorities", "certificate", "trustsSystem"]),
        table(GatewayLimits.self), table(ListenerConfig.Timeouts.self), table(HTTP2Limits.self),
        table(ListenerConfig.Limits.self, renamed: ["target": "request_target"]), table(ListenerConfig.PathRules.self),
        table(ProxyProtocolDraft.self), table(UnixBindDraft.self),
        table(
            UpstreamDraft.self, flattening: ["config"],
            besides: ["name", "location", "parameters", "endpoints", "tls"],
            renamed: ["protocol_version": "protocol"], twice: true),
        table(EndpointSection.self), table(UpstreamConfig.Timeouts.self), table(RouteConfig.TimeoutOverrides.self),
        table(UpstreamConfig.Pool.self), table(UpstreamConfig.Limits.self),
        table(UpstreamConfig.Retries.self, renamed: ["budget_percent": "budget"]),
        table(HashDraft.self),
        table(MiddlewareChoice.self, renamed: ["request_i_d": "request_id"]),
        table(HeadersConfig.self), table(HeaderEdits.self),
        table(BasicAuthDraft.self, flattening: ["config"], besides: ["users"], twice: true),
        table(
            APIKeyDraft.self, flattening: ["config"], besides: ["source", "keys"], renamed: ["key_list": "keys"],
            twice: true),
        table(RateLimitDraft.self, flattening: ["config"], besides: ["count", "period", "burst"], twice: true),
        table(IPFilterConfig.self), table(BodyLimitConfig.self, renamed: ["max_bytes": "max"]),
        table(RequestIDConfig.self), table(CORSConfig.self), table(HSTSConfig.self),
        table(ForwardAuthDraft.self, flattening: ["config"], besides: ["upstream"], twice: true),
        table(RouteDraft.self, besides: ["reading", "parameters"]),
        table(RedirectDraft.self), table(RespondDraft.self, flattening: ["response"], besides: ["body"]),
        table(RewriteDraft.self), table(RouteConfig.WebSocketPolicy.self), table(ConditionDraft.self),
    ]

    @Test func everySectionOfTheLanguageIsInThisTest() {
        #expect(Set(Self.tables.map(\.title)) == Set(SectionIndex.all.map(\.title)))
    }

    @Test(arguments: tables)
    func rowsAndPropertiesCorrespond(_ table: Table) {
        #expect(table.rows.sorted() == table.properties.sorted())
        #expect(Set(table.rows).count == table.rows.count)
    }

    @Test(arguments: tables)
    func defaultsOfRowsAreThoseOfTheTypes(_ table: Table) {
        for entry in table.defaults { #expect(entry.type == nil || entry.row == entry.type, "\(entry.key)") }
    }

    @Test(arguments: tables)
    func everyKeyReadsBackWhatIsNotItsDefault(_ table: Table) {
        #expect(table.readBack() == [])
    }

    @Test func everyRowHasASentence() {
        for section in SectionIndex.all {
            #expect(section.sentence.hasSuffix("."))
            for row in section.rows() { #expect(row.sentence.hasSuffix(".") && row.sentence.count > 8, "\(row.name)") }
        }
    }

    // MARK: Making tables

    /// - Parameters:
    ///   - flattening: properties whose own properties are the keys.
    ///   - besides: properties that are no keys.
    ///   - twice: names in `besides` are taken out once only, since the draft has a key of the same name.
    static func table<Section: ConfigSection>(
        _ type: Section.Type, flattening: Set<String> = [], besides: [String] = [], renamed: [String: String] = [:],
        twice: Bool = false
    ) -> Table {
        /// Values by the name of their key.
        @Sendable func properties(_ section: Section) -> [(name: String, value: String)] {
            var found: [(name: String, value: String)] = []
            for child in Mirror(reflecting: section).children {
                guard let label = child.label else { continue }
                if flattening.contains(label) {
                    for inner in Mirror(reflecting: child.value).children {
                        guard let label = inner.label, !besides.contains(label) else { continue }
                        found.append((renamed[snake(label)] ?? snake(label), "\(inner.value)"))
                    }
                } else if !besides.contains(label) || (twice && !["name", "location", "parameters"].contains(label)) {
                    found.append((renamed[snake(label)] ?? snake(label), "\(child.value)"))
                }
            }
            return found
        }
        @Sendable func changed(_ section: Section) -> [String] {
            zip(properties(section), properties(Section())).filter { $0.0.value != $0.1.value }.map(\.0.name)
        }
        let keys = Section.keys.filter { !$0.info.isLater }
        return Table(
            title: Section.title, rows: keys.map(\.name),
            properties: properties(Section()).map(\.name),
            defaults: keys.filter { !$0.info.isRequired }.map { ($0.name, $0.info.standard, $0.show(Section())) },
            readBack: { keys.flatMap { readBack($0, changed) } })
    }

    static func snake(_ name: String) -> String {
        var result = ""
        for character in name {
            if character.isUppercase { result += "_" + character.lowercased() } else { result.append(character) }
        }
        return result
    }

    /// Reads samples until one is accepted and changes the section; then what the row shows must read the same.
    private static func readBack<Section: ConfigSection>(
        _ key: ConfigKey<Section>, _ changed: (Section) -> [String]
    ) -> [String] {
        for sample in Sample.texts(for: key.info.shape) {
            guard let (section, problems) = read(key, sample), problems.isEmpty else { continue }
            let names = changed(section)
            guard !names.isEmpty else { continue }
            guard names == [key.name] else { return ["\(key.name) changes \(names)"] }
            guard let shown = key.show(section) else { return [] }
            guard let (again, _) = read(key, shown) else { return ["\(key.name): \(shown) is no YAML"] }
            return strip("\(again)") == strip("\(section)") ? [] : ["\(key.name): \(sample) is shown as \(shown)"]
        }
        return ["\(key.name): no sample of \(key.info.shape.phrase) is accepted"]
    }

    /// What samples of paths find: a certificate with its key.
    private static let files = [
        "sample": (try? DiskFile.read(FixturePath.certificate("tls/both.pem") ?? "", limit: 1 << 20)) ?? []
    ]

    /// Places differ between two spellings of the same value.
    private static func strip(_ description: String) -> String {
        var text = description
        while let start = text.firstRange(of: "Place("), let end = text[start.upperBound...].firstRange(of: "width: ") {
            let rest = text[end.upperBound...].drop { $0 != ")" }
            text = text[..<start.lowerBound] + "#" + rest
        }
        return text
    }

    private static func read<Section: ConfigSection>(_ key: ConfigKey<Section>, _ text: String) -> (Section, [Problem])?
    {
        guard let node = try? YAMLDocument(Array("k: \(text)\n".utf8), file: "f").root?["k"] else { return nil }
        let inputs = ConfigInputs(path: "f", files: .memory(files), environment: [:], credentialsDirectory: nil)
        let decoder = ConfigDecoder(inputs: inputs, customKinds: [])
        var section = Section()
        key.read(&section, node, decoder)
        return (section, decoder.problems)
    }
}

/// Values of the file that a shape accepts.
enum Sample {
    static func texts(for shape: Shape) -> [String] {
        switch shape {
        case .boolean: ["true", "false"]
        case .integer(let range): ["\(range.lowerBound)", "\(range.upperBound)"]
        case .duration(let range): [DurationText.write(range.lowerBound), DurationText.write(range.upperBound)]
        case .size(let range): [SizeText.write(range.lowerBound), SizeText.write(range.upperBound)]
        case .percent(let range): ["\(range.upperBound)%", "\(range.lowerBound)%"]
        case .rate: ["7/m"]
        case .words(let words): words.reversed()
        // Twice the same where the only word is the default.
        case .list(let item): texts(for: item).map { "[\($0)]" } + texts(for: item).map { "[\($0), \($0)]" }
        case .map(_, let value):
            texts(for: value).flatMap { value in ["name", "X-Name", "\"10.0.0.1\""].map { "{ \($0): \(value) }" } }
        case .section(let info): maps(info)
        case .json: ["{ a: 1 }"]
        case .either(let shapes): shapes.flatMap { texts(for: $0) }
        case .text: plain
        }
    }

    private static let plain = [
        "sample", "/sample", "X-Sample", "SAMPLE", "text/sample", "\"0640\"", "10.1.0.0/16", "10.1.2.3:81",
        "\"*.sample\"",
        "http://10.1.2.3:81", "https://sample.example", "header.x-sample", "\"/{client_ip}\"", "'%a %t'",
        "$6$salt$" + String(repeating: "a", count: 86), "sha256:" + String(repeating: "ab", count: 32),
    ]

    /// Maps with one key, or with all that are required.
    private static func maps(_ info: SectionInfo) -> [String] {
        guard info.title != RouteDraft.title else { return ["{ path: /sample, respond: 204 }"] }
        let rows = info.rows().filter { !$0.isLater }
        let required = rows.filter(\.isRequired)
        if !required.isEmpty {
            let members = required.map { row in texts(for: row.shape).map { "\(row.name): \($0)" } }
            return (members.first ?? []).map { first in
                "{ " + ([first] + members.dropFirst().compactMap(\.first)).joined(separator: ", ") + " }"
            }
        }
        return rows.flatMap { row -> [String] in
            if case .section(let inner) = row.shape, inner.title == info.title { return [] }
            return texts(for: row.shape).map { "{ \(row.name): \($0) }" }
        }
    }
}
