/// Lines of a text by number, cut to what a message can show.
package struct SourceLines: Sendable {
    private let bytes: [UInt8]
    /// Where each line begins.
    private let starts: [Int]

    /// Bytes of a line that are handed out.
    private static let shownMax = 2_000

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
        var starts = [0]
        for index in bytes.indices where bytes[index] == 0x0A { starts.append(index + 1) }
        self.starts = starts
    }

    /// The line with this number (from 1) without its end; nil beyond the text.
    package subscript(number: Int) -> String? {
        guard number >= 1, number <= starts.count else { return nil }
        var start = starts[number - 1]
        var end = number < starts.count ? starts[number] - 1 : bytes.count
        if end > start, bytes[end - 1] == 0x0D { end -= 1 }
        if number == 1, bytes.starts(with: [0xEF, 0xBB, 0xBF]) { start = min(end, 3) }
        return String(decoding: bytes[start..<min(end, start + Self.shownMax)], as: UTF8.self)
    }
}
