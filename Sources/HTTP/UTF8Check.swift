/// Checks bytes one by one for well-formed UTF-8 (RFC 3629 section 4): no overlong forms, no surrogates, nothing above
/// U+10FFFF.
package struct UTF8Check: Sendable {
    /// Continuation bytes that must follow.
    private var missing: UInt8 = 0
    /// Bounds of the next continuation byte; narrower behind some first bytes.
    private var lower: UInt8 = 0x80
    private var upper: UInt8 = 0xBF

    package init() {}

    /// Whether no character is unfinished.
    @inline(__always)
    package var isComplete: Bool { missing == 0 }

    /// Takes the next byte; false when no UTF-8 text goes on like that. The state is of no use after that.
    package mutating func take(_ byte: UInt8) -> Bool {
        if missing > 0 {
            guard byte >= lower, byte <= upper else { return false }
            missing &-= 1
            lower = 0x80
            upper = 0xBF
            return true
        }
        switch byte {
        case 0x00...0x7F: return true
        case 0xC2...0xDF: missing = 1
        case 0xE0: (missing, lower) = (2, 0xA0)
        case 0xE1...0xEC, 0xEE...0xEF: missing = 2
        case 0xED: (missing, upper) = (2, 0x9F)
        case 0xF0: (missing, lower) = (3, 0x90)
        case 0xF1...0xF3: missing = 3
        case 0xF4: (missing, upper) = (3, 0x8F)
        default: return false
        }
        return true
    }
}
