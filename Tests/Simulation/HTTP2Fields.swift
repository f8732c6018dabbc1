/// Heads of HTTP/2 as those of HTTP/1.1, so that what holds for one is checked for the other.
enum HTTP2Fields {
    /// Fields out of lines as `NaiveHPACK` reads them.
    static func read(_ lines: [UInt8]) -> [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        for line in String(decoding: lines, as: UTF8.self).split(separator: "\r\n") {
            guard let colon = line.dropFirst().firstIndex(of: ":") else { continue }
            fields.append((String(line[..<colon]), String(line[colon...].dropFirst(2))))
        }
        return fields
    }

    /// Connection-specific fields (RFC 9113 section 8.2.2), and what is no field of its kind.
    private static let forbidden = [
        "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "http2-settings",
    ]

    /// What is wrong with names; nil: nothing.
    private static func fault(_ fields: [(name: String, value: String)]) -> String? {
        var isBehindPseudo = false
        for (name, value) in fields {
            if name.hasPrefix(":") {
                if isBehindPseudo { return "\(name) behind other fields" }
                continue
            }
            isBehindPseudo = true
            if name != name.lowercased() || name.isEmpty { return "the name \(name)" }
            if forbidden.contains(name) || name == "te" && value != "trailers" { return "\(name): \(value)" }
            if value.hasPrefix(" ") || value.hasSuffix(" ") { return "white space in \(name)" }
        }
        return nil
    }

    /// The head of an answer, for whom its status line says nothing more.
    static func response(_ fields: [(name: String, value: String)]) throws(StrictHead.Malformed) -> StrictHead {
        if let fault = fault(fields) { throw .init(reason: fault) }
        let pseudo = fields.filter { $0.name.hasPrefix(":") }
        guard pseudo.count == 1, pseudo[0].name == ":status", let status = Int(pseudo[0].value),
            (100...599).contains(status), status != 101
        else { throw .init(reason: "pseudo-header fields \(pseudo)") }
        return StrictHead("HTTP/1.1 \(status) ", fields.filter { !$0.name.hasPrefix(":") })
    }

    /// The head of a request as a gateway would write it in HTTP/1.1: `Host` comes first.
    static func request(
        _ fields: [(name: String, value: String)], isSecure: Bool
    ) throws(StrictHead.Malformed) -> StrictHead {
        if let fault = fault(fields) { throw .init(reason: fault) }
        var pseudo: [String: String] = [:]
        for (name, value) in fields where name.hasPrefix(":") {
            if pseudo.updateValue(value, forKey: name) != nil { throw .init(reason: "\(name) twice") }
        }
        guard var method = pseudo[":method"], let path = pseudo[":path"], let host = pseudo[":authority"],
            pseudo[":scheme"] == (isSecure ? "https" : "http"), pseudo.count == (method == "CONNECT" ? 5 : 4)
        else { throw .init(reason: "pseudo-header fields \(pseudo)") }
        if method == "CONNECT" {
            // RFC 8441 section 4: what HTTP/1.1 asks for with GET and Upgrade.
            guard pseudo[":protocol"] == "websocket" else { throw .init(reason: "CONNECT for \(pseudo)") }
            method = "GET"
        }
        if fields.contains(where: { $0.name == "host" }) { throw .init(reason: "a Host beside :authority") }
        let rest = fields.filter { !$0.name.hasPrefix(":") }
        return StrictHead("\(method) \(path) HTTP/1.1", [("host", host)] + rest)
    }

    /// Trailers have no pseudo-header fields.
    static func trailers(_ fields: [(name: String, value: String)]) throws(StrictHead.Malformed) {
        if let fault = fault(fields) { throw .init(reason: fault) }
        if fields.contains(where: { $0.name.hasPrefix(":") }) {
            throw .init(reason: "pseudo-header fields in trailers")
        }
    }
}
