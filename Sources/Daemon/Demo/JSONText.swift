/// JSON as text, for the demo's answers and the command line: nothing here is on the path of a request.
enum JSONText {
    static func string(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    /// An object of members that are JSON already, one to a line.
    static func object(_ members: [(name: String, value: String)], indent: String = "") -> String {
        guard !members.isEmpty else { return "{}" }
        let lines = members.map { "\(indent)  \(string($0.name)): \($0.value)" }
        return "{\n" + lines.joined(separator: ",\n") + "\n\(indent)}"
    }
}
