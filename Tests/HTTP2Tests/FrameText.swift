@testable import HTTP2

/// Frames in the notation of `Fixtures/README.md`.
struct FrameText {
    private var rest: Substring
    private static let types = [
        "DATA", "HEADERS", "PRIORITY", "RST", "SETTINGS", "PUSH", "PING", "GOAWAY", "WINDOW", "CONTINUATION",
    ]
    private static let requests = [
        "G": [(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", "a.test")],
        "P": [(":method", "POST"), (":scheme", "https"), (":path", "/"), (":authority", "a.test")],
        "R": [(":status", "200")],
    ]

    /// One frame: `NAME[.flags][@stream] part …`.
    static func frame(_ text: Substring) -> [UInt8] {
        var words = FrameText(rest: text)
        let head = words.word()
        let name = head.prefix { $0 != "." && $0 != "@" }
        if name == "RAW" { return words.parts() }
        let flagText = head.contains(".") ? head.drop { $0 != "." }.dropFirst().prefix { $0 != "@" } : ""
        let stream = UInt32(head.drop { $0 != "@" }.dropFirst()) ?? 0
        let type = types.firstIndex(of: String(name)).map { UInt8($0) } ?? UInt8(name.dropFirst(4), radix: 16) ?? 0xFF
        var flags: UInt8 = 0
        for letter in flagText { flags |= ["e": 1, "a": 1, "h": 4, "p": 8, "r": 0x20, "x": 0xD2][letter] ?? 0 }
        var length: Int?
        if words.rest.hasPrefix("len=") { length = Int(words.word().dropFirst(4)) }
        let payload = words.parts()
        return header(length ?? payload.count, type, flags, stream) + payload
    }

    static func header(_ length: Int, _ type: UInt8, _ flags: UInt8, _ stream: UInt32) -> [UInt8] {
        [UInt8(length >> 16), UInt8(length >> 8 & 255), UInt8(length & 255), type, flags] + word(stream)
    }

    static func word(_ value: UInt32) -> [UInt8] {
        [UInt8(value >> 24), UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
    }

    /// Fields as literals in no table.
    static func fields(_ fields: [(String, String)]) -> [UInt8] {
        fields.flatMap { [0] + string(unescaped($0.0)) + string(unescaped($0.1)) }
    }

    private static func string(_ bytes: [UInt8]) -> [UInt8] {
        var rest = bytes.count - 127
        if rest < 0 { return [UInt8(bytes.count)] + bytes }
        var length: [UInt8] = [127]
        while rest >= 128 {
            length.append(UInt8(rest & 127 | 128))
            rest >>= 7
        }
        return length + [UInt8(rest)] + bytes
    }

    private static func unescaped(_ text: String) -> [UInt8] {
        var result: [UInt8] = []
        var bytes = Array(text.utf8)[...]
        while let byte = bytes.popFirst() {
            guard byte == UInt8(ascii: "\\"), let code = bytes.popFirst() else {
                result.append(byte)
                continue
            }
            switch code {
            case UInt8(ascii: "r"): result.append(13)
            case UInt8(ascii: "n"): result.append(10)
            case UInt8(ascii: "t"): result.append(9)
            case UInt8(ascii: "s"): result.append(32)
            case UInt8(ascii: "x"):
                result.append(UInt8(String(decoding: bytes.prefix(2), as: UTF8.self), radix: 16) ?? 0)
                bytes = bytes.dropFirst(2)
            default: result.append(code)
            }
        }
        return result
    }

    private mutating func word() -> Substring {
        let word = rest.prefix { $0 != " " }
        rest = rest.dropFirst(word.count + 1)
        return word
    }

    private mutating func parts() -> [UInt8] {
        var result: [UInt8] = []
        while let first = rest.first {
            switch first {
            case " ": rest = rest.dropFirst()
            case "{":
                let inside = rest.dropFirst().prefix { $0 != "}" }
                rest = rest.dropFirst(inside.count + 2)
                result += Self.fields(Self.pairs(inside))
            case "\"":
                let inside = rest.dropFirst().prefix { $0 != "\"" }
                rest = rest.dropFirst(inside.count + 2)
                result += Array(inside.utf8)
            case "$":
                result += Self.fields(Self.requests[String(rest.dropFirst().prefix(1))] ?? [])
                rest = rest.dropFirst(2)
            default:
                let word = word()
                let count = word.contains("*") ? Int(word.prefix { $0 != "*" }) ?? 0 : 1
                let bytes = [UInt8](hex: String(word.drop { word.contains("*") && $0 != "*" }))
                for _ in 0..<count { result += bytes }
            }
        }
        return result
    }

    /// `name: value` with `;` between.
    private static func pairs(_ text: Substring) -> [(String, String)] {
        text.split(separator: ";").map { part in
            let field = part.drop { $0 == " " }
            let name = field.prefix(1) + field.dropFirst().prefix { $0 != ":" }
            return (String(name), String(field.dropFirst(name.count + 1).drop { $0 == " " }))
        }
    }
}
