private import HTTP

/// Which of the forms of an error the client prefers (RFC 9110 section 12.5.1).
enum Acceptance: Equatable {
    case problem, html, plain

    /// Reads the value of an Accept field; nil or nothing acceptable: a problem document.
    init(_ accept: Span<UInt8>?) {
        guard let accept, accept.count > 0 else {
            self = .problem
            return
        }
        var problem = Preference()
        var html = Preference()
        var plain = Preference()
        var at = 0
        while at < accept.count {
            var end = at
            while end < accept.count && accept[end] != 0x2C { end += 1 }
            let range = MediaRange(accept.extracting(at..<end))
            problem.take(range.specificity(of: "application", "problem+json", or: "json"), range.quality)
            html.take(range.specificity(of: "text", "html", or: "html"), range.quality)
            plain.take(range.specificity(of: "text", "plain", or: "plain"), range.quality)
            at = end + 1
        }
        self = Self.best(problem.quality, html.quality, plain.quality)
    }

    private static func best(_ problem: Int, _ html: Int, _ plain: Int) -> Acceptance {
        if problem >= html && problem >= plain { return .problem }
        return html >= plain ? .html : .plain
    }

    /// The quality that the most specific matching range gives; of equally specific ones the highest.
    private struct Preference {
        var quality = 0
        private var specificity = 0

        mutating func take(_ specificity: Int, _ quality: Int) {
            guard specificity > 0, specificity >= self.specificity else { return }
            self.quality = specificity > self.specificity ? quality : max(self.quality, quality)
            self.specificity = specificity
        }
    }
}

/// One media range of an Accept field, such as `text/*;q=0.8`.
private struct MediaRange: ~Escapable {
    private let type: Span<UInt8>
    private let subtype: Span<UInt8>
    /// Thousandths; 0 for a range that is not well-formed.
    let quality: Int

    @_lifetime(copy text)
    init(_ text: Span<UInt8>) {
        var slash = 0
        while slash < text.count && text[slash] != 0x2F && text[slash] != 0x3B { slash += 1 }
        var end = slash
        while end < text.count && text[end] != 0x3B { end += 1 }
        let isWellFormed = slash < text.count && text[slash] == 0x2F
        type = Self.trimmed(text.extracting(0..<slash))
        subtype = Self.trimmed(text.extracting(min(slash + 1, end)..<end))
        quality = isWellFormed ? Self.quality(of: text.extracting(end...)) : 0
    }

    /// 3 for the type itself, 2 for `type/*`, 1 for `*/*`, 0 when the range does not match.
    func specificity(of type: StaticString, _ subtype: StaticString, or alternative: StaticString) -> Int {
        if Self.isAny(self.type) { return Self.isAny(self.subtype) ? 1 : 0 }
        guard Self.equals(self.type, type) else { return 0 }
        if Self.isAny(self.subtype) { return 2 }
        return Self.equals(self.subtype, subtype) || Self.equals(self.subtype, alternative) ? 3 : 0
    }

    private static func isAny(_ text: Span<UInt8>) -> Bool { text.count == 1 && text[0] == 0x2A }

    private static func equals(_ text: Span<UInt8>, _ literal: StaticString) -> Bool {
        guard text.count == literal.utf8CodeUnitCount else { return false }
        var isEqual = true
        var index = 0
        for byte in literal.description.utf8 {
            if ByteClass.lowercased(text[index]) != byte { isEqual = false }
            index += 1
        }
        return isEqual
    }

    @_lifetime(copy text)
    private static func trimmed(_ text: Span<UInt8>) -> Span<UInt8> {
        var start = 0
        var end = text.count
        while start < end && (text[start] == 0x20 || text[start] == 0x09) { start += 1 }
        while end > start && (text[end - 1] == 0x20 || text[end - 1] == 0x09) { end -= 1 }
        return text.extracting(start..<end)
    }

    /// The `q` among parameters that each begin with `;`; 1000 without one.
    private static func quality(of parameters: Span<UInt8>) -> Int {
        var at = 0
        while at < parameters.count {
            var end = at + 1
            while end < parameters.count && parameters[end] != 0x3B { end += 1 }
            let parameter = trimmed(parameters.extracting((at + 1)..<end))
            if parameter.count >= 3, ByteClass.lowercased(parameter[0]) == 0x71, parameter[1] == 0x3D {
                return thousandths(parameter.extracting(2...))
            }
            at = end
        }
        return 1000
    }

    /// qvalue: `0` or `1` with at most three digits behind a point; anything else counts as 0.
    private static func thousandths(_ text: Span<UInt8>) -> Int {
        guard text.count <= 5, text[0] == 0x30 || text[0] == 0x31 else { return 0 }
        var value = text[0] == 0x31 ? 1000 : 0
        guard text.count > 1 else { return value }
        guard text[1] == 0x2E else { return 0 }
        var unit = 100
        for index in 2..<text.count {
            guard ByteClass.isDigit(text[index]) else { return 0 }
            value += Int(text[index] &- 0x30) * unit
            unit /= 10
        }
        return min(value, 1000)
    }
}
