import Glibc

/// One row of a conformance table; see Fixtures/README.md.
struct Fixture {
    let id: String
    let verdict: String
    let input: [UInt8]
    /// Count of input bytes with which the failure must have been reported.
    let reportedBy: Int?
    let output: [UInt8]

    /// The rows of a table of this folder.
    static func table(_ name: String) -> [Fixture] {
        let folder = #filePath.split(separator: "/").dropLast().joined(separator: "/")
        return read("/\(folder)/Fixtures/\(name)").split(separator: "\n").compactMap(Fixture.init(row:))
    }

    private init?(row: Substring) {
        if row.hasPrefix("#") || row.isEmpty { return nil }
        var columns: [[UInt8]] = [[]]
        let bytes = Array(row.utf8)
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "\\"), index + 1 < bytes.count {
                columns[columns.count - 1] += bytes[index...index + 1]
                index += 2
            } else if bytes[index...].starts(with: " | ".utf8) {
                columns.append([])
                index += 3
            } else {
                columns[columns.count - 1].append(bytes[index])
                index += 1
            }
        }
        id = String(decoding: columns[0], as: UTF8.self)
        verdict = String(decoding: columns[1], as: UTF8.self)
        var mark: Int?
        input = columns.count > 2 ? Self.unescape(columns[2][...], &mark) : []
        reportedBy = mark
        var none: Int?
        output = columns.count > 3 ? Self.unescape(columns[3][...], &none) : []
    }

    private static let macros: [(UInt8, String)] = [
        (UInt8(ascii: "G"), "GET /v HTTP/1.1\r\nHost: a.test\r\n"),
        (UInt8(ascii: "P"), "POST /v HTTP/1.1\r\nHost: a.test\r\n"),
        (UInt8(ascii: "R"), "HTTP/1.1 200 OK\r\n"),
    ]

    private static func unescape(_ text: ArraySlice<UInt8>, _ mark: inout Int?) -> [UInt8] {
        var result: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "$"), let macro = macros.first(where: { $0.0 == rest.first }) {
                rest.removeFirst()
                result += Array(macro.1.utf8)
            } else if byte == UInt8(ascii: "{"), let star = rest.firstIndex(of: UInt8(ascii: "*")) {
                let count = Int(String(decoding: rest[..<star], as: UTF8.self)) ?? 0
                let end = closingBrace(rest[(star + 1)...])
                var none: Int?
                let part = unescape(rest[(star + 1)..<end], &none)
                for _ in 0..<count { result += part }
                rest = rest[(end + 1)...]
            } else if byte == UInt8(ascii: "\\"), let escape = rest.popFirst() {
                switch escape {
                case UInt8(ascii: "r"): result.append(13)
                case UInt8(ascii: "n"): result.append(10)
                case UInt8(ascii: "t"): result.append(9)
                case UInt8(ascii: "!"): mark = result.count
                case UInt8(ascii: "x"):
                    result.append(UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) ?? 0)
                    rest = rest.dropFirst(2)
                default: result.append(escape)
                }
            } else {
                result.append(byte)
            }
        }
        return result
    }

    private static func closingBrace(_ text: ArraySlice<UInt8>) -> Int {
        var depth = 1
        for index in text.indices {
            if text[index] == UInt8(ascii: "{") { depth += 1 }
            if text[index] == UInt8(ascii: "}") { depth -= 1 }
            if depth == 0 { return index }
        }
        return text.endIndex
    }

    private static func read(_ path: String) -> String {
        guard let file = unsafe fopen(path, "r") else { return "" }
        defer { unsafe fclose(file) }
        var bytes: [UInt8] = []
        while case let byte = unsafe getc(file), byte != EOF { bytes.append(UInt8(truncatingIfNeeded: byte)) }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Bytes as text for messages of failed expectations.
func text(_ bytes: [UInt8]) -> String {
    String(decoding: bytes.prefix(400), as: UTF8.self).debugDescription
}

/// Lengths at which an input is cut: every one of a short input, some of a long one, always those around the marks.
func cuts(of input: [UInt8], marks: [Int] = []) -> [Int] {
    let step = input.count <= 700 ? 1 : input.count / 200
    let around = (marks + [input.count]).flatMap { [$0 - 2, $0 - 1, $0, $0 + 1] }
    return Set(Array(stride(from: 0, through: input.count, by: step)) + around)
        .filter { $0 >= 0 && $0 <= input.count }.sorted()
}
