import HTTP

/// Credentials that services tie to the connection instead of the request (NTLM, and Negotiate as RFC 4559 uses it): what comes
/// later on the same connection counts as the same user's.
package enum ConnectionBoundCredentials {
    private static let ntlm: InlineArray<4, UInt8> = [0x6E, 0x74, 0x6C, 0x6D]
    private static let negotiate: InlineArray<9, UInt8> = [0x6E, 0x65, 0x67, 0x6F, 0x74, 0x69, 0x61, 0x74, 0x65]

    /// Whether the value of an Authorization field begins with one of these schemes.
    package static func isMember(_ value: Span<UInt8>) -> Bool {
        begins(value, ntlm.span) || begins(value, negotiate.span)
    }

    private static func begins(_ value: Span<UInt8>, _ scheme: Span<UInt8>) -> Bool {
        guard value.count >= scheme.count else { return false }
        guard value.count == scheme.count || !ByteClass.isToken(value[scheme.count]) else { return false }
        return ByteClass.equalsIgnoringCase(value.extracting(0..<scheme.count), scheme)
    }
}
