import HTTP

/// How fields are encoded by what they are.
enum EncodedFields {
    /// Whether a line is not simply looked up in the table.
    @inline(__always)
    static func isSpecial(_ field: KnownField) -> Bool { special.contains(field) }

    /// RFC 7541 section 7.1.3: what is worth guessing never gets into a table.
    static func isSecret(_ field: KnownField) -> Bool { secrets.contains(field) }

    /// RFC 9113 section 8.2.2: a message has no such field; this is the last check before it is written.
    static func isForConnection(_ field: KnownField) -> Bool { connection.contains(field) }

    private static var secrets: KnownFieldSet { [.authorization, .proxyAuthorization, .cookie, .setCookie] }

    private static var connection: KnownFieldSet {
        [.connection, .keepAlive, .proxyConnection, .transferEncoding, .upgrade, .http2Settings, .te, .host]
    }

    /// The two above, and fields whose value is another one nearly each time.
    private static var special: KnownFieldSet {
        [
            .authorization, .proxyAuthorization, .cookie, .setCookie, .connection, .keepAlive, .proxyConnection,
            .transferEncoding, .upgrade, .http2Settings, .te, .host, .contentLength, .xRequestID, .traceparent,
            .location, .retryAfter, .secWebSocketKey, .secWebSocketAccept,
        ]
    }

    /// Whether the name of an unknown field ends like that of a credential: in key, token, secret or password.
    static func soundsSecret(_ name: Span<UInt8>) -> Bool {
        ends(name, 3, 0x79_656B) || ends(name, 5, 0x6E_656B_6F74) || ends(name, 6, 0x7465_7263_6573)
            || ends(name, 8, 0x6472_6F77_7373_6170)
    }

    /// The word is the ending's bytes, little-endian; names differ in the case of letters.
    private static func ends(_ name: Span<UInt8>, _ count: Int, _ word: UInt64) -> Bool {
        guard name.count >= count else { return false }
        return (ByteScan.word(name, at: name.count &- count) ^ word) & ~0x2020_2020_2020_2020 == 0
    }
}
