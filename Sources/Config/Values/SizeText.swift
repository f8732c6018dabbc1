/// Sizes in bytes as the file writes them: `512B`, `64KiB` (2^10), `10MB` (10^6).
enum SizeText {
    private static let units: [(name: String, bytes: Int)] = [
        ("TiB", 1 << 40), ("TB", 1_000_000_000_000), ("GiB", 1 << 30), ("GB", 1_000_000_000), ("MiB", 1 << 20),
        ("MB", 1_000_000), ("KiB", 1 << 10), ("KB", 1_000), ("kB", 1_000), ("B", 1),
    ]

    static func parse(_ text: String) throws(TextFailure) -> Int {
        let compact = text.filter { $0 != " " }
        let digits = compact.prefix { $0.isASCII && $0.isNumber }
        let letters = compact.dropFirst(digits.count)
        guard let number = DecimalNumber.parse(digits) else { throw TextFailure() }
        guard let unit = units.first(where: { $0.name == letters }) else {
            throw failure(text, String(digits), String(letters))
        }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: unit.bytes)
        guard !overflow else { throw TextFailure("`\(text)` is too large") }
        guard compact == text else { throw TextFailure("`\(text)` has a space in it", help: "write \(compact)") }
        return bytes
    }

    private static func failure(_ text: String, _ digits: String, _ letters: String) -> TextFailure {
        if letters.isEmpty {
            let inBytes = DecimalNumber.parse(digits).map(write) ?? "\(digits)B"
            return TextFailure("`\(text)` has no unit", help: "write \(inBytes) if that is bytes, or \(digits)KiB")
        }
        if let first = letters.first?.uppercased(), "KMGT".contains(first), letters.count <= 3 {
            return TextFailure(
                "`\(letters)` is no unit of a size",
                help: "write \(digits)\(first)iB (powers of 1024) or \(digits)\(first)B (powers of 1000)")
        }
        return TextFailure("`\(letters)` is no unit of a size", help: "units are B, KiB, KB, MiB, MB, GiB, GB, TiB, TB")
    }

    /// The text with the largest unit that leaves no rest.
    static func write(_ bytes: Int) -> String {
        guard bytes > 0, let unit = units.first(where: { bytes % $0.bytes == 0 }) else { return "\(bytes)B" }
        return "\(bytes / unit.bytes)\(unit.name)"
    }
}
