import YAML

/// A scalar with its `${…}` replaced. What came from outside is marked, so that it is never read again as a template
/// and never shown.
struct ExpandedText {
    struct Part: Equatable {
        var text: String
        /// Came from `${…}`.
        var isExpanded: Bool
        /// Where the part begins in the text as written, in characters.
        var offset: Int
    }

    /// The scalar; for places of problems.
    var node: YAMLNode
    var parts: [Part]

    /// As it stands in the file; shows no secret.
    var written: String { node.text ?? "" }
    var text: String { parts.map(\.text).joined() }
    var isExpanded: Bool { parts.contains { $0.isExpanded } }

    /// The value as a message may show it.
    var shown: String {
        if isExpanded { return "the value of `\(Self.cut(written))`" }
        return written.isEmpty ? "an empty text" : "`\(Self.cut(written))`"
    }

    /// The same for a scalar that was not read yet.
    static func shown(_ node: YAMLNode) -> String {
        let text = node.text ?? ""
        return text.contains("${") ? "the value of `\(cut(text))`" : "`\(cut(text))`"
    }

    /// A name for a message: "unknown upstream `users`", "unknown upstream in `${env:USERS}`".
    static func name(_ node: YAMLNode) -> String {
        let text = node.text ?? ""
        return text.contains("${") ? "in `\(cut(text))`" : "`\(cut(text))`"
    }

    private static func cut(_ text: String) -> String {
        let line = text.split(separator: "\n", omittingEmptySubsequences: false).first.map(String.init) ?? ""
        return line.count > 60 ? "\(line.prefix(60))…" : line
    }
}

extension ConfigDecoder {
    /// Text of a scalar with `${env:NAME}`, `${env:NAME:-default}`, `${file:/path}` and `${credential:name}` replaced,
    /// once. Nil: a problem was reported.
    func text(_ node: YAMLNode) -> ExpandedText? {
        guard let written = node.text else {
            reportShape(node, expected: "text")
            return nil
        }
        guard written.utf8.contains(0x24) else {
            return ExpandedText(node: node, parts: [.init(text: written, isExpanded: false, offset: 0)])
        }
        var parts: [ExpandedText.Part] = []
        var literal = ""
        var literalOffset = 0
        let scalars = Array(written.unicodeScalars)
        var index = 0
        var isSound = true
        while index < scalars.count {
            guard scalars[index] == "$", index + 1 < scalars.count, scalars[index + 1] == "{" else {
                if literal.isEmpty { literalOffset = index }
                literal.unicodeScalars.append(scalars[index])
                index += 1
                continue
            }
            guard let end = scalars[index...].firstIndex(of: "}") else {
                report(at: Place(node, offset: index, width: 2), "`${` is not closed", help: "add the `}`")
                return nil
            }
            if !literal.isEmpty { parts.append(.init(text: literal, isExpanded: false, offset: literalOffset)) }
            literal = ""
            var inner = String.UnicodeScalarView()
            inner.append(contentsOf: scalars[(index + 2)..<end])
            let place = Place(node, offset: index, width: end - index + 1)
            if let value = expand(String(inner), place: place, file: node.file) {
                parts.append(.init(text: value, isExpanded: true, offset: index))
            } else {
                isSound = false
            }
            index = end + 1
        }
        if !literal.isEmpty || parts.isEmpty {
            parts.append(.init(text: literal, isExpanded: false, offset: literalOffset))
        }
        return isSound ? ExpandedText(node: node, parts: parts) : nil
    }

    private func expand(_ inner: String, place: Place, file: String) -> String? {
        guard let colon = inner.firstIndex(of: ":") else {
            let isName = !inner.isEmpty && inner.utf8.allSatisfy(Self.isVariableByte)
            report(
                at: place, "`${\(inner)}` does not say where the value comes from",
                help: isName ? "write ${env:\(inner)}" : "write ${env:NAME}, ${file:/path} or ${credential:name}")
            return nil
        }
        let name = String(inner[inner.index(after: colon)...])
        switch inner[..<colon] {
        case "env": return environment(name, place: place)
        case "file": return secretFile(path(name, besides: file), place: place)
        case "credential": return credential(name, place: place)
        default:
            report(
                at: place, "unknown source `\(inner[..<colon])` in `${\(inner)}`",
                help: "write ${env:NAME}, ${file:/path} or ${credential:name}")
            return nil
        }
    }

    private func environment(_ name: String, place: Place) -> String? {
        var name = name[...]
        var fallback: String?
        if let range = name.firstRange(of: ":-") {
            fallback = String(name[range.upperBound...])
            name = name[..<range.lowerBound]
        }
        guard !name.isEmpty, name.utf8.allSatisfy(Self.isVariableByte) else {
            report(at: place, "`\(name)` is no name of an environment variable")
            return nil
        }
        let value = inputs.variable(String(name))
        if let value, !(value.isEmpty && fallback != nil) { return value }
        if let fallback { return fallback }
        report(
            at: place, "environment variable `\(name)` is not set",
            help: "set it, or give a default: ${env:\(name):-…}")
        return nil
    }

    private func credential(_ name: String, place: Place) -> String? {
        guard !name.isEmpty, name != ".", name != "..", !name.utf8.contains(0x2F) else {
            report(at: place, "`\(name)` is no name of a credential")
            return nil
        }
        guard let path = inputs.credentialPath(name) else {
            report(
                at: place, "credential `\(name)` is not there: the service was started without credentials",
                help: "add `LoadCredential=\(name):/path` to the systemd unit, or set CREDENTIALS_DIRECTORY")
            return nil
        }
        return secretFile(path, place: place)
    }

    /// A final newline is cut.
    private func secretFile(_ path: String, place: Place) -> String? {
        switch inputs.secret(path) {
        case .failure(let failure):
            report(at: place, "cannot read `\(path)`: \(failure.reason)")
            return nil
        case .success(var bytes):
            if bytes.last == 0x0A { bytes.removeLast() }
            if bytes.last == 0x0D { bytes.removeLast() }
            guard let text = String(validating: bytes, as: UTF8.self) else {
                report(at: place, "`\(path)` is no UTF-8 text")
                return nil
            }
            return text
        }
    }

    /// A path of the file, seen from the folder of the configuration file that names it.
    func path(_ path: String, besides file: String) -> String {
        guard !path.hasPrefix("/"), let slash = file.lastIndex(of: "/") else { return path }
        return file[...slash] + path
    }

    private static func isVariableByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F: true
        default: false
        }
    }
}
