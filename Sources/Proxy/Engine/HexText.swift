import Containers

/// Numbers as hexadecimal text without a loop over digits.
enum HexText {
    /// Appends 16 lower-case digits; there must be tailroom. The digits' order is the number's own, which is random.
    static func append(_ number: UInt64, to buffer: inout Buffer) {
        appendHalf(UInt32(truncatingIfNeeded: number), to: &buffer)
        appendHalf(UInt32(truncatingIfNeeded: number >> 32), to: &buffer)
    }

    /// Spreads eight nibbles over eight bytes and turns all of them into digits at once.
    private static func appendHalf(_ number: UInt32, to buffer: inout Buffer) {
        var word = UInt64(number)
        word = (word | word << 16) & 0x0000_FFFF_0000_FFFF
        word = (word | word << 8) & 0x00FF_00FF_00FF_00FF
        word = (word | word << 4) & 0x0F0F_0F0F_0F0F_0F0F
        // 1 in each byte whose nibble is above 9: those digits are letters, 0x27 further on than `:`.
        let letters = ((word &+ 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101
        buffer.append(littleEndian: word &+ 0x3030_3030_3030_3030 &+ letters &* 0x27)
    }
}
