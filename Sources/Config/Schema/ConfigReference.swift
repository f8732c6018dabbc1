/// The key tables as a page for people.
package enum ConfigReference {
    /// Markdown with a heading for each section, without a title of its own.
    package static func markdown(customKinds: [CustomKind] = []) -> String {
        let middleware = SectionIndex.all.first { $0.title == MiddlewareChoice.title }?.rows().map(\.name) ?? []
        var text = ""
        for section in SectionIndex.all + customKinds.map(\.info) {
            let isKind = middleware.contains(section.title)
            text += "## \(isKind ? "Middleware " : "")\(heading(section.title))\n\n\(section.sentence)\n\n"
            text += "| key | value | default | |\n|---|---|---|---|\n"
            for row in section.rows() where !row.isLater {
                let standard = row.isRequired ? "required" : row.standard.map(code) ?? "–"
                text += "| `\(row.name)` | \(cell(phrase(row.shape))) | \(cell(standard)) | \(cell(row.sentence)) |\n"
            }
            let later = section.rows().filter(\.isLater).map { "`\($0.name)`" }
            if !later.isEmpty { text += "\nNot in this version: \(later.joined(separator: ", ")).\n" }
            text += "\n"
        }
        text += variables
        return text
    }

    private static func heading(_ title: String) -> String {
        title.contains("_") ? "`\(title)`" : title.prefix(1).uppercased() + title.dropFirst()
    }

    /// Defaults are values of the file, unless they are a sentence.
    private static func code(_ standard: String) -> String {
        standard.contains("`") || standard.contains(" ") && !standard.hasPrefix("[") ? standard : "`\(standard)`"
    }

    private static func cell(_ text: String) -> String { text.replacing("|", with: "\\|") }

    private static func phrase(_ shape: Shape) -> String {
        switch shape {
        case .words(let words): words.map { "`\($0)`" }.joined(separator: ", ")
        case .integer(let range): "whole number, \(range.lowerBound) to \(range.upperBound)"
        case .duration(let range):
            "duration, \(DurationText.write(range.lowerBound)) to \(DurationText.write(range.upperBound))"
        case .size(let range): "size, \(SizeText.write(range.lowerBound)) to \(SizeText.write(range.upperBound))"
        case .percent(let range): "percentage, \(range.lowerBound)% to \(range.upperBound)%"
        case .boolean: "`true` or `false`"
        case .rate: "rate"
        case .text(let kind): kind
        case .json: "any value"
        case .list(let item): "list of \(phrase(item))"
        case .map(let key, let value): "map from \(key) to \(phrase(value))"
        case .section(let info): "map: [\(info.title)](#\(anchor(info.title)))"
        case .either(let shapes): alternatives(shapes)
        }
    }

    /// "x, or a list" for one value or a list of them.
    private static func alternatives(_ shapes: [Shape]) -> String {
        if Shape.isOneOrMore(shapes) { return phrase(shapes[0]) + ", or a list" }
        return shapes.map(phrase).joined(separator: ", or ")
    }

    private static func anchor(_ title: String) -> String {
        let isKind = MiddlewareChoice.keys.contains { $0.name == title }
        return ((isKind ? "middleware-" : "") + title.replacing(" ", with: "-").lowercased())
    }

    private static var variables: String {
        let names = VariableText.plain.map { "`{\($0.name)}`" } + VariableText.families.map { "`{\($0).NAME}`" }
        return """
            ## Values

            - **Durations** carry units: `250ms`, `30s`, `1m30s`, `12h`, `7d`. **Sizes** too: `512B`, `64KiB` (2^10), \
            `10MB` (10^6). **Rates** are a number and a period: `100/s`, `10/m`, `5000/h`, `1000/d`.
            - **Variables** stand in templates in braces: \(names.joined(separator: ", ")); `{{` is a brace. `key:` and \
            `hash:` take the same names bare.
            - **From outside**: `${env:NAME}`, `${env:NAME:-default}`, `${file:/path}` and `${credential:name}` in any \
            value; expanded once, never shown. A final newline of a file is cut.
            - Anchors, aliases and `<<` merge keys work.

            """
    }
}
