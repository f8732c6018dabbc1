/// Classes of bytes in HTTP grammar, by table.
package enum ByteClass {
    private static let token: UInt8 = 1
    private static let value: UInt8 = 2
    private static let target: UInt8 = 4
    private static let digit: UInt8 = 8
    private static let hex: UInt8 = 16
    private static let unreserved: UInt8 = 32
    private static let host: UInt8 = 64

    /// tchar (RFC 9110 section 5.6.2).
    @inline(__always)
    package static func isToken(_ byte: UInt8) -> Bool { table[Int(byte)] & token != 0 }
    /// field-vchar, SP, HTAB and obs-text (RFC 9110 section 5.5).
    @inline(__always)
    package static func isFieldValue(_ byte: UInt8) -> Bool { table[Int(byte)] & value != 0 }
    /// Bytes of a request target that we accept: pchar, `/`, `?`, `%` and nothing of `security` table 0.3.
    @inline(__always)
    package static func isTarget(_ byte: UInt8) -> Bool { table[Int(byte)] & target != 0 }
    @inline(__always)
    package static func isDigit(_ byte: UInt8) -> Bool { table[Int(byte)] & digit != 0 }
    @inline(__always)
    package static func isHexDigit(_ byte: UInt8) -> Bool { table[Int(byte)] & hex != 0 }
    /// unreserved (RFC 3986 section 2.3).
    @inline(__always)
    package static func isUnreserved(_ byte: UInt8) -> Bool { table[Int(byte)] & unreserved != 0 }
    /// Bytes of a registered name: unreserved, sub-delims and `%`, without the comma.
    @inline(__always)
    package static func isHost(_ byte: UInt8) -> Bool { table[Int(byte)] & host != 0 }

    /// Value of a hexadecimal digit, nil for another byte.
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

    private static let table: InlineArray<256, UInt8> = {
        var table = InlineArray<256, UInt8>(repeating: 0)
        for byte in 0..<256 {
            let isUpper = (0x41...0x5A).contains(byte)
            let isLower = (0x61...0x7A).contains(byte)
            let isDigit = (0x30...0x39).contains(byte)
            let isAlphanumeric = isUpper || isLower || isDigit
            var classes: UInt8 = 0
            if isAlphanumeric || Self.among("!#$%&'*+-.^_`|~", byte) { classes |= token }
            if byte == 9 || (byte >= 0x20 && byte != 0x7F) { classes |= value }
            if isAlphanumeric || Self.among("-._~!$&'()*+,;=:@/?%[]", byte) { classes |= target }
            if isDigit { classes |= digit }
            if isDigit || (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte) { classes |= hex }
            if isAlphanumeric || Self.among("-._~", byte) { classes |= unreserved }
            if isAlphanumeric || Self.among("-._~!$&'()*+;=%", byte) { classes |= host }
            table[byte] = classes
        }
        return table
    }()

    private static func among(_ bytes: String, _ byte: Int) -> Bool {
        bytes.utf8.contains(UInt8(byte))
    }
}
