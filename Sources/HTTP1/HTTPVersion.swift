import HTTP

/// `HTTP/d.d` (RFC 9112 section 2.3).
enum HTTPVersion {
    /// `HTTP/1.1` as a little-endian word; a test spells it.
    static var oneOne: UInt64 { 0x312E_312F_5054_5448 }
    /// Bytes of a version.
    static var byteCount: Int { 8 }

    /// Whether `byte` may stand at this place of a version.
    static func allows(_ byte: UInt8, at index: Int) -> Bool {
        switch index {
        case 0: byte == 0x48
        case 1, 2: byte == 0x54
        case 3: byte == 0x50
        case 4: byte == 0x2F
        case 5, 7: byte &- 0x30 < 10
        case 6: byte == 0x2E
        default: false
        }
    }
}
