/// Writes JSON text (RFC 8259) piece by piece.
package struct JSONWriter {
    package private(set) var text = ""
    private var needsComma = false
    private var depth = 0
    private let isIndented: Bool

    package init(isIndented: Bool = false) { self.isIndented = isIndented }

    package mutating func object(_ body: (inout JSONWriter) -> Void) { nest("{", "}", body) }

    package mutating func array(_ body: (inout JSONWriter) -> Void) { nest("[", "]", body) }

    /// The name of the object's member that is written next.
    package mutating func key(_ name: String) {
        separate()
        quote(name)
        text += isIndented ? ": " : ":"
        needsComma = false
        isAfterKey = true
    }

    package mutating func string(_ value: String) {
        separate()
        quote(value)
        needsComma = true
    }

    package mutating func member(_ name: String, _ value: String) {
        key(name)
        string(value)
    }

    package mutating func member(_ name: String, _ value: Int64) {
        key(name)
        raw("\(value)")
    }

    package mutating func member(_ name: String, _ values: [String]) {
        key(name)
        array { json in
            for value in values { json.string(value) }
        }
    }

    /// A literal or number that is JSON already.
    package mutating func raw(_ value: String) {
        separate()
        text += value
        needsComma = true
    }

    private var isAfterKey = false

    private mutating func nest(_ open: String, _ close: String, _ body: (inout JSONWriter) -> Void) {
        separate()
        text += open
        depth += 1
        needsComma = false
        let before = text.utf8.count
        body(&self)
        depth -= 1
        if isIndented, text.utf8.count > before { newLine() }
        text += close
        needsComma = true
        isAfterKey = false
    }

    private mutating func separate() {
        if isAfterKey {
            isAfterKey = false
            return
        }
        if needsComma { text += "," }
        needsComma = false
        if isIndented, depth > 0 { newLine() }
    }

    private mutating func newLine() {
        text += "\n" + String(repeating: "  ", count: depth)
    }

    private mutating func quote(_ value: String) {
        text += "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }

    /// Whether a text is a number in JSON's grammar.
    static func isNumber(_ text: String) -> Bool {
        var rest = Substring(text)
        if rest.first == "-" { rest = rest.dropFirst() }
        func digits() -> Int {
            let found = rest.prefix { ("0"..."9").contains($0) }.count
            rest = rest.dropFirst(found)
            return found
        }
        let startsWithZero = rest.first == "0"
        let whole = digits()
        guard whole > 0, !startsWithZero || whole == 1 else { return false }
        if rest.first == "." {
            rest = rest.dropFirst()
            guard digits() > 0 else { return false }
        }
        if rest.first == "e" || rest.first == "E" {
            rest = rest.dropFirst()
            if rest.first == "+" || rest.first == "-" { rest = rest.dropFirst() }
            guard digits() > 0 else { return false }
        }
        return rest.isEmpty
    }
}
