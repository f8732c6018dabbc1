package import Containers
private import HTTP

/// Text from outside, made harmless for a log: nothing in it can end a line or a string, move a cursor, or be read in
/// another encoding (CVE-2024-45808 and its kin).
package enum LogText {
    /// How bytes that must not stand in a log are written.
    package enum Escape: Sendable {
        /// `\"`, `\\`, `\n`, `\u00e9`: inside a JSON string. A byte of 0x80 and above is written as the code point of
        /// its number.
        case json
        /// `\x0a`, `\x22`: in text formats.
        case hexadecimal
    }

    /// Bytes that one value takes in a log at most, escapes included.
    package static let valueLimit = 2_048

    /// Appends `bytes`, escaped, as far as they fit into `limit` bytes. There must be tailroom for `limit`.
    ///
    /// Returns how many bytes it appended.
    @discardableResult
    package static func append(
        _ bytes: Span<UInt8>, _ escape: Escape, limit: Int = valueLimit, to buffer: inout Buffer
    ) -> Int {
        let part = bytes.count <= limit ? bytes : bytes.extracting(0..<limit)
        if isHarmless(part) {
            buffer.append(part)
            return part.count
        }
        return appendEscaped(bytes, escape, limit: limit, to: &buffer)
    }

    /// Whether all bytes can stand as they are: eight at a time, without an early way out (nearly always there is
    /// none), the last eight once more rather than one by one.
    private static func isHarmless(_ bytes: Span<UInt8>) -> Bool {
        guard bytes.count >= 8 else {
            for index in 0..<bytes.count where !isHarmless(bytes[index]) { return false }
            return true
        }
        var marks = marks(ByteScan.word(bytes.extracting(last: 8)))
        var rest = bytes
        while rest.count > 8 {
            marks |= Self.marks(ByteScan.word(rest))
            rest = rest.extracting(droppingFirst: 8)
        }
        return marks & 0x8080_8080_8080_8080 == 0
    }

    /// A word whose high bits are set where a byte is below 0x20, `"`, `\`, 0x7F or above; behind the first such byte
    /// also elsewhere.
    @inline(__always)
    private static func marks(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        return word | (word &- ones &* 0x20) | ((word ^ (ones &* 0x22)) &- ones) | ((word ^ (ones &* 0x5C)) &- ones)
            | ((word ^ (ones &* 0x7F)) &- ones)
    }

    @inline(__always)
    private static func isHarmless(_ byte: UInt8) -> Bool {
        byte &- 0x20 < 0x5F && byte != 0x22 && byte != 0x5C
    }

    @inline(never)
    private static func appendEscaped(
        _ bytes: Span<UInt8>, _ escape: Escape, limit: Int, to buffer: inout Buffer
    ) -> Int {
        var written = 0
        for index in 0..<bytes.count {
            let byte = bytes[index]
            if isHarmless(byte) {
                guard written < limit else { return written }
                buffer.append(byte)
                written += 1
                continue
            }
            let size = width(byte, escape)
            guard written + size <= limit else { return written }
            appendEscape(byte, escape, to: &buffer)
            written += size
        }
        return written
    }

    private static func width(_ byte: UInt8, _ escape: Escape) -> Int {
        switch escape {
        case .hexadecimal: 4
        case .json: letter(byte) == nil ? 6 : 2
        }
    }

    private static func appendEscape(_ byte: UInt8, _ escape: Escape, to buffer: inout Buffer) {
        buffer.append(0x5C)
        switch escape {
        case .hexadecimal: buffer.append(0x78)
        case .json:
            if let letter = letter(byte) {
                buffer.append(letter)
                return
            }
            buffer.append("u00")
        }
        buffer.append(hexadecimalDigit(byte >> 4))
        buffer.append(hexadecimalDigit(byte & 15))
    }

    /// JSON's short escapes (RFC 8259 section 7).
    private static func letter(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x22, 0x5C: byte
        case 0x08: 0x62
        case 0x0C: 0x66
        case 0x0A: 0x6E
        case 0x0D: 0x72
        case 0x09: 0x74
        default: nil
        }
    }

    private static func hexadecimalDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? 0x30 &+ value : 0x57 &+ value
    }
}
