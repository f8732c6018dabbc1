/// A message head read by the letter of RFC 9112: written for the tests, shares nothing with the gateway's parser.
package struct StrictHead: Sendable {
    package struct Malformed: Error, Sendable { package let reason: String }

    package let startLine: String
    /// Names in lower case.
    package let fields: [(name: String, value: String)]

    /// Of parts that were read otherwise.
    init(_ startLine: String, _ fields: [(name: String, value: String)]) {
        self.startLine = startLine
        self.fields = fields
    }

    /// Reads a head with its empty line.
    package init(_ bytes: [UInt8]) throws(Malformed) {
        var lines: [[UInt8]] = []
        var line: [UInt8] = []
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte == 0x0D {
                guard index + 1 < bytes.count, bytes[index + 1] == 0x0A else { throw Malformed(reason: "a bare CR") }
                lines.append(line)
                line = []
                index += 2
                continue
            }
            if byte == 0x0A { throw Malformed(reason: "a bare LF") }
            if byte == 0 || (byte < 0x20 && byte != 9) || byte == 0x7F { throw Malformed(reason: "a control byte") }
            line.append(byte)
            index += 1
        }
        guard line.isEmpty, lines.count >= 2, lines.last?.isEmpty == true else { throw Malformed(reason: "no end") }
        startLine = String(decoding: lines[0], as: UTF8.self)
        var fields: [(name: String, value: String)] = []
        for line in lines[1..<(lines.count - 1)] { fields.append(try Self.field(line)) }
        self.fields = fields
    }

    /// `name: value`, as a gateway writes it: no white space around the value but one space before it.
    private static func field(_ line: [UInt8]) throws(Malformed) -> (name: String, value: String) {
        guard let colon = line.firstIndex(of: 0x3A), colon > 0 else { throw Malformed(reason: "a line without name") }
        for byte in line[..<colon] where !isToken(byte) { throw Malformed(reason: "a name that is no token") }
        var value = line[(colon + 1)...]
        if value.first == 0x20 { value = value.dropFirst() }
        if let first = value.first, first == 0x20 || first == 9 {
            throw Malformed(reason: "white space before a value")
        }
        if let last = value.last, last == 0x20 || last == 9 { throw Malformed(reason: "white space behind a value") }
        return (String(decoding: line[..<colon], as: UTF8.self).lowercased(), String(decoding: value, as: UTF8.self))
    }

    private static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }

    package func values(_ name: String) -> [String] { fields.filter { $0.name == name }.map(\.value) }

    /// The value of a field that may stand there once.
    package func value(_ name: String) throws(Malformed) -> String? {
        let all = values(name)
        if all.count > 1 { throw Malformed(reason: "\(name) stands there \(all.count) times") }
        return all.first
    }

    /// Framing of the content by RFC 9112 section 6.3, for a message that may have content.
    package func framing(isResponse: Bool) throws(Malformed) -> StrictFraming {
        let coding = try value("transfer-encoding")
        let length = try value("content-length")
        if coding != nil, length != nil { throw Malformed(reason: "both Transfer-Encoding and Content-Length") }
        if let coding {
            guard coding == "chunked" else { throw Malformed(reason: "Transfer-Encoding: \(coding)") }
            return .chunked
        }
        guard let length else { return isResponse ? .untilEnd : .length(0) }
        guard let count = Int(length), String(count) == length, count >= 0 else {
            throw Malformed(reason: "Content-Length: \(length)")
        }
        return .length(count)
    }
}

package enum StrictFraming: Sendable, Equatable {
    case length(Int)
    case chunked
    case untilEnd
}
