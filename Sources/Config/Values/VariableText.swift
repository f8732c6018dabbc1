import HTTP

/// Names of variables: one grammar for templates (`{header.X-User}`) and keys (`header.X-User`).
enum VariableText {
    static let plain: [(name: String, variable: Variable)] = [
        ("client_ip", .clientIP), ("request_id", .requestID), ("host", .host), ("method", .method), ("path", .path),
        ("route", .route), ("identity", .identity), ("scheme", .scheme), ("tls.version", .tlsVersion),
        ("tls.cipher", .tlsCipher), ("tls.sni", .tlsSNI), ("tls.client_subject", .tlsClientSubject),
        ("tls.client_fingerprint", .tlsClientFingerprint),
    ]
    /// Written before a dot and a name.
    static let families = ["path", "query", "header", "cookie"]

    static func parse(_ name: String) throws(TextFailure) -> Variable {
        if let found = plain.first(where: { $0.name == name }) { return found.variable }
        guard let dot = name.firstIndex(of: ".") else { throw unknown(name) }
        let member = String(name[name.index(after: dot)...])
        let family = String(name[..<dot])
        guard families.contains(family) else { throw unknown(name) }
        guard !member.isEmpty else {
            throw TextFailure("`\(name)` lacks a name behind the dot", help: "write \(family).NAME")
        }
        switch family {
        case "path": return .pathParameter(member)
        case "query": return .query(member)
        case "cookie": return .cookie(try token(member, "a cookie"))
        default: return .header(try token(member, "a header").lowercased())
        }
    }

    private static func token(_ text: String, _ kind: String) throws(TextFailure) -> String {
        guard text.utf8.allSatisfy(ByteClass.isToken) else { throw TextFailure("`\(text)` is no name of \(kind)") }
        return text
    }

    private static func unknown(_ name: String) -> TextFailure {
        let names = plain.map(\.name) + families.map { $0 + ".NAME" }
        let family = name.split(separator: ".").first.map(String.init) ?? name
        if name.contains("."), let nearest = Suggestion.nearest(to: family, among: families) {
            return TextFailure(
                "unknown variable `\(name)`", help: "did you mean `\(nearest)\(name.dropFirst(family.count))`?")
        }
        if let nearest = Suggestion.nearest(to: name, among: plain.map(\.name)) {
            return TextFailure("unknown variable `\(name)`", help: "did you mean `\(nearest)`?")
        }
        let kin = plain.map(\.name).filter { $0.hasPrefix(family + ".") }
        if !kin.isEmpty {
            return TextFailure("unknown variable `\(name)`", help: "of this kind are \(kin.joined(separator: ", "))")
        }
        return TextFailure("unknown variable `\(name)`", help: "variables are \(names.joined(separator: ", "))")
    }

    static func write(_ variable: Variable) -> String {
        switch variable {
        case .pathParameter(let name): "path.\(name)"
        case .query(let name): "query.\(name)"
        case .header(let name): "header.\(name)"
        case .cookie(let name): "cookie.\(name)"
        case .clientIP, .requestID, .host, .method, .path, .route, .identity, .scheme, .tlsVersion, .tlsCipher, .tlsSNI,
            .tlsClientSubject, .tlsClientFingerprint:
            plain.first { $0.variable == variable }?.name ?? ""
        }
    }
}
