internal import Containers
private import HTTP

/// Credentials of the Basic scheme (RFC 7617): `Basic BASE64(user:password)`.
struct BasicCredentials: Equatable {
    /// Bytes of the encoded part that are read.
    static let limit = 1024

    /// Where the user's name and the password stand in the decoded bytes.
    let user: Range<Int>
    let password: Range<Int>

    /// Decodes the value of an Authorization field behind what `output` holds. Nil for another scheme, text that is not
    /// base64 in its one form, or without a colon.
    init?(_ value: Span<UInt8>, into output: inout Buffer) {
        let start = output.count
        guard let token = Self.token(of: value), token.count <= Self.limit,
            Base64.decode(value.extracting(token), to: &output)
        else { return nil }
        var colon = start
        while colon < output.count && output[colon] != 0x3A { colon += 1 }
        guard colon < output.count else { return nil }
        user = start..<colon
        password = (colon + 1)..<output.count
    }

    private static func token(of value: Span<UInt8>) -> Range<Int>? {
        guard value.count > 6, value[5] == 0x20 else { return nil }
        var isBasic = true
        for (index, letter) in "basic".utf8.enumerated() where ByteClass.lowercased(value[index]) != letter {
            isBasic = false
        }
        guard isBasic else { return nil }
        var start = 6
        while start < value.count && value[start] == 0x20 { start += 1 }
        return start < value.count ? start..<value.count : nil
    }
}

/// Base64 (RFC 4648 section 4), strict: whole groups, padding where it belongs, no bits lost.
enum Base64 {
    static func decode(_ text: Span<UInt8>, to output: inout Buffer) -> Bool {
        guard text.count > 0, text.count % 4 == 0, text.count / 4 * 3 <= output.tailroom else { return false }
        var padding = 0
        if text[text.count - 1] == 0x3D { padding = text[text.count - 2] == 0x3D ? 2 : 1 }
        var at = 0
        while at < text.count {
            let isLast = at + 4 == text.count
            let digits = isLast ? 4 - padding : 4
            var group: UInt32 = 0
            for index in 0..<4 {
                var value: UInt32 = 0
                if index < digits {
                    guard let digit = Self.value(text[at + index]) else { return false }
                    value = UInt32(digit)
                }
                group = group << 6 | value
            }
            let kept = digits * 6 / 8
            if kept < 3 && group & (0xFF_FFFF >> UInt32(8 * kept)) != 0 { return false }
            for index in 0..<kept { output.append(UInt8(truncatingIfNeeded: group >> UInt32(16 - 8 * index))) }
            at += 4
        }
        return true
    }

    private static func value(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x41...0x5A: byte &- 0x41
        case 0x61...0x7A: byte &- 0x61 &+ 26
        case 0x30...0x39: byte &- 0x30 &+ 52
        case 0x2B: 62
        case 0x2F: 63
        default: nil
        }
    }
}
