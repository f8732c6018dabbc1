import HTTP

/// What the fields of one section say about framing, connection and upgrade, collected line by line.
struct FieldNotes {
    var status = ByteRange.empty
    /// Nil without the field.
    var contentLength: Int?
    var hasTE = false
    var hasHost = false
    var hasExpect = false
    var expectsContinue = false
    var webSocketVersions = 0
    var isWebSocketVersion13 = false

    /// Whether lines with this field have to be looked at.
    @inline(__always)
    static func concern(_ field: KnownField) -> Bool { noted.contains(field) }

    private static var noted: KnownFieldSet {
        [
            .connection, .keepAlive, .proxyConnection, .transferEncoding, .upgrade, .te, .contentLength, .host, .expect,
            .trailer, .http2Settings, .proxyAuthorization, .proxyAuthenticate, .secWebSocketKey, .secWebSocketVersion,
            .date, .contentType, .secWebSocketAccept,
        ]
    }
}
