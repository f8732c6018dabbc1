import Containers
import Glibc

extension Array where Element == UInt8 {
    /// Hexadecimal digits; white space is skipped.
    init(hex: String) {
        let digits = hex.utf8.compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
        self = stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    init(copying span: Span<UInt8>) { self = span.indices.map { span[$0] } }
}

/// Bytes as text for messages and comparisons.
func text(_ bytes: Span<UInt8>) -> String { String(decoding: Array(copying: bytes), as: UTF8.self) }

/// Takes the place of a condition whose parts cannot be copied, which `#expect` would want to.
func holds(_ condition: Bool) -> Bool { condition }

enum FixtureFile {
    /// The lines of a file in this folder's `Fixtures`, without comments.
    static func lines(_ name: String) -> [Substring] {
        let folder = #filePath.split(separator: "/").dropLast().joined(separator: "/")
        return read("/\(folder)/Fixtures/\(name)").split(separator: "\n").filter { !$0.hasPrefix("#") }
    }

    private static func read(_ path: String) -> String {
        guard let file = unsafe fopen(path, "r") else { return "" }
        defer { unsafe fclose(file) }
        var bytes: [UInt8] = []
        while case let byte = unsafe getc(file), byte != EOF { bytes.append(UInt8(truncatingIfNeeded: byte)) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
