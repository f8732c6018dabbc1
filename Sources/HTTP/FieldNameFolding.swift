/// Comparing field names the way lax receivers do.
///
/// CGI-like environments turn `X-User`, `x_user` and (some) `X.User` into one variable, so a field that a policy owns is
/// removed in every such spelling, not just in every case.
extension ByteClass {
    /// ASCII lower case, with `_` and `.` as `-`.
    @inlinable
    @inline(__always)
    package static func folded(_ byte: UInt8) -> UInt8 {
        byte == 0x5F || byte == 0x2E ? 0x2D : lowercased(byte)
    }

    /// Whether a field name is a spelling of `folded`, which is folded already.
    @inlinable
    @inline(__always)
    package static func isSpelling(_ name: Span<UInt8>, of folded: Span<UInt8>) -> Bool {
        guard name.count == folded.count else { return false }
        for index in 0..<name.count where Self.folded(name[index]) != folded[index] { return false }
        return true
    }

    /// Whether a field name equals `lowercase`, which is in lower case already, but for ASCII case.
    @inlinable
    @inline(__always)
    package static func isName(_ name: Span<UInt8>, _ lowercase: Span<UInt8>) -> Bool {
        guard name.count == lowercase.count else { return false }
        for index in 0..<name.count where lowercased(name[index]) != lowercase[index] { return false }
        return true
    }
}
