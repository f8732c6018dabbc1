package import Containers

/// Text from outside, made harmless for a log: nothing in it can end a line or a string, move a cursor, or be read in another
/// encoding (CVE-2024-45808 and its kin).
package enum LogText {
    /// How bytes that must not stand in a log are written.
    package enum Escape: Sendable {
        /// `\"`, `\\`, `\n`, `\u00e9`: inside a JSON string. A byte of 0x80 and above is written as the code point of its number.
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
        let count = min(bytes.count, limit)
        if isHarmless(bytes, count: count) {
            buffer.append(bytes.extracting(0..<count))
            return count
        }
        return appendEscaped(bytes, escape, limit: limit, to: &buffer)
    }

    /// Whether the first `count` bytes can stand as they are. Without an early way out, so that it becomes vector code.
    private static func isHarmless(_ bytes: Span<UInt8>, count: Int) -> Bool {
        var found: UInt8 = 0
        for index in 0..<count {
            let byte = bytes[index]
            found |= (byte &- 0x20 >= 0x5F ? 1 : 0) | (byte == 0x22 ? 1 : 0) | (byte == 0x5C ? 1 : 0)
        }
        return found == 0
    }

    @inline(never)
    private static func appendEscaped(
        _ bytes: Span<UInt8>, _ escape: Escape, limit: Int, to buffer: inout Buffer
    ) -> Int {
        var written = 0
        for index in 0..<bytes.count {
            let byte = bytes[index]
            if byte &- 0x20 < 0x5F && byte != 0x22 && byte != 0x5C {
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
