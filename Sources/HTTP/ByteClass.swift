/// Classes of bytes in HTTP grammar, by table.
@usableFromInline
package enum ByteClass {
    private static let token: UInt8 = 1
    private static let value: UInt8 = 2
    private static let target: UInt8 = 4
    private static let hex: UInt8 = 16
    private static let unreserved: UInt8 = 32
    private static let host: UInt8 = 64
    private static let plainTarget: UInt8 = 128

    /// tchar (RFC 9110 section 5.6.2).
    @inline(__always)
    package static func isToken(_ byte: UInt8) -> Bool { table[Int(byte)] & token != 0 }
    /// field-vchar, SP, HTAB and obs-text (RFC 9110 section 5.5).
    @inline(__always)
    package static func isFieldValue(_ byte: UInt8) -> Bool { table[Int(byte)] & value != 0 }
    /// Bytes of a request target that we accept: pchar, `/`, `?`, `%` and nothing of `security` table 0.3.
    @inline(__always)
    package static func isTarget(_ byte: UInt8) -> Bool { table[Int(byte)] & target != 0 }
    @inlinable
    @inline(__always)
    package static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }
    @inline(__always)
    package static func isHexDigit(_ byte: UInt8) -> Bool { table[Int(byte)] & hex != 0 }
    /// Bytes of a request target that mean nothing to its parser: those of `isTarget` without `?` and `%`.
    @inline(__always)
    package static func isPlainTarget(_ byte: UInt8) -> Bool { table[Int(byte)] & plainTarget != 0 }
    /// unreserved (RFC 3986 section 2.3).
    @inline(__always)
    package static func isUnreserved(_ byte: UInt8) -> Bool { table[Int(byte)] & unreserved != 0 }
    /// Bytes of a registered name: unreserved and sub-delims without the comma.
    @inline(__always)
    package static func isHost(_ byte: UInt8) -> Bool { table[Int(byte)] & host != 0 }

    /// Offset of the first byte that is no `isPlainTarget`; the count when all are.
    package static func plainTargetEnd(_ bytes: Span<UInt8>) -> Int { end(bytes, of: plainTarget) }

    /// Offset of the first byte that is no `isHost`; the count when all are.
    package static func plainHostEnd(_ bytes: Span<UInt8>) -> Int { end(bytes, of: host) }

    /// Looks at eight bytes at once: their classes are and-ed. What is left over is looked at together with the bytes
    /// before it; only where a byte is of another class are single bytes searched.
    @inline(__always)
    private static func end(_ bytes: Span<UInt8>, of byteClass: UInt8) -> Int {
        var rest = bytes
        if rest.count >= 8 {
            while rest.count >= 8 {
                if common(rest) & byteClass == 0 { break }
                rest = rest.extracting(droppingFirst: 8)
            }
            if rest.count < 8 && common(bytes.extracting(last: 8)) & byteClass != 0 { return bytes.count }
        }
        var offset = 0
        while offset < rest.count && table[Int(rest[offset])] & byteClass != 0 { offset &+= 1 }
        return bytes.count &- rest.count &+ offset
    }

    /// The classes that the first eight bytes have in common; there must be eight.
    @inline(__always)
    private static func common(_ bytes: Span<UInt8>) -> UInt8 {
        table[Int(bytes[0])] & table[Int(bytes[1])] & table[Int(bytes[2])] & table[Int(bytes[3])]
            & table[Int(bytes[4])] & table[Int(bytes[5])] & table[Int(bytes[6])] & table[Int(bytes[7])]
    }

    /// Value of a hexadecimal digit, nil for another byte.
    @inlinable
    @inline(__always)
    package static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte &- 0x30
        case 0x41...0x46: byte &- 0x37
        case 0x61...0x66: byte &- 0x57
        default: nil
        }
    }

    /// ASCII lower case of one byte; other bytes stay.
    @inlinable
    @inline(__always)
    package static func lowercased(_ byte: UInt8) -> UInt8 {
        byte &- 0x41 < 26 ? byte | 0x20 : byte
    }

    /// Whether two runs of bytes are equal but for ASCII case.
    package static func equalsIgnoringCase(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
        guard left.count == right.count else { return false }
        for index in 0..<left.count where lowercased(left[index]) != lowercased(right[index]) { return false }
        return true
    }

    /// Whether two runs of bytes are equal.
    package static func equals(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
        guard left.count == right.count else { return false }
        for index in 0..<left.count where left[index] != right[index] { return false }
        return true
    }

    /// A literal, so that it lies in read-only memory and no access has to ask whether it is set up; a test derives
    /// every entry anew from the grammar.
    private static let table: InlineArray<256, UInt8> = [
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // 0x00
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // 0x10
        0x02, 0xC7, 0x02, 0x03, 0xC7, 0x07, 0xC7, 0xC7, 0xC6, 0xC6, 0xC7, 0xC7, 0x86, 0xE7, 0xE7, 0x86,  // 0x20
        0xF7, 0xF7, 0xF7, 0xF7, 0xF7, 0xF7, 0xF7, 0xF7, 0xF7, 0xF7, 0x86, 0xC6, 0x02, 0xC6, 0x02, 0x06,  // 0x30
        0x86, 0xF7, 0xF7, 0xF7, 0xF7, 0xF7, 0xF7, 0xE7, 0xE7, 0xE7, 0xE7, 0xE7, 0xE7, 0xE7, 0xE7, 0xE7,  // 0x40
        0xE7, 0xE7, 0xE7, 0xE7, 0xE7, 0xE7, 0xE7, 0xE7, 0xE7, 0xE7, 0xE7, 0x86, 0x02, 0x86, 0x03, 0xE7,  // 0x50
        0x03, 0xF7, 0xF7, 0xF7, 0xF7, 0xF7, 0xF7, 0xE7, 0xE7, 0xE7, 0xE7, 0xE7, 0xE7, 0xE7, 0xE7, 0xE7,  // 0x60
        0xE7, 0xE7, 0xE7, 0xE7, 0xE7, 0xE7, 0xE7, 0xE7, 0xE7, 0xE7, 0xE7, 0x02, 0x03, 0x02, 0xE7, 0x00,  // 0x70
        0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,  // 0x80
        0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,  // 0x90
        0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,  // 0xA0
        0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,  // 0xB0
        0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,  // 0xC0
        0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,  // 0xD0
        0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,  // 0xE0
        0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,  // 0xF0
    ]
}
