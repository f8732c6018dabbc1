internal import Containers
internal import Digest

extension Base64 {
    /// Appends the bytes of a text to `output`. Strict: whole groups, padding where it belongs, no bits lost (RFC 4648
    /// section 3.5). False for any other text, or when there is no room.
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
