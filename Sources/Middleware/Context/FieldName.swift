private import HTTP
public import HTTPTypes

/// A field name, prepared once for looking up, setting and removing it on requests.
///
/// Make one when the middleware is made (`static let` or `let`), not per request: making it allocates, using it does
/// not. A name that is no token of HTTP matches nothing and is never sent.
public struct FieldName: Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// As written; this spelling is sent.
    package let written: [UInt8]
    package let lowercase: [UInt8]
    /// Lower case with `_` and `.` as `-`: what removing compares with.
    package let folded: [UInt8]
    /// Framing and connection fields, which the gateway alone writes; setting, adding or removing one does nothing.
    public let isReserved: Bool
    /// Host, which is looked up in the request's authority.
    let isHost: Bool

    public init(_ name: some StringProtocol) {
        written = Array(name.utf8)
        lowercase = written.map(ByteClass.lowercased)
        folded = written.map(ByteClass.folded)
        isReserved = Self.reserved.contains(folded)
        isHost = name.lowercased() == "host"
    }

    public init(_ name: HTTPField.Name) {
        self.init(name.rawName)
    }

    public init(stringLiteral name: String) {
        self.init(name)
    }

    /// Whether the name can be sent: a token (RFC 9110 section 5.6.2) that is not reserved.
    public var isValid: Bool {
        !written.isEmpty && !isReserved && written.allSatisfy(ByteClass.isToken)
    }

    public var description: String { String(decoding: written, as: UTF8.self) }

    private static let reserved: Set<[UInt8]> = Set(
        [
            "host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "keep-alive",
            "proxy-connection", "http2-settings", "expect", "sec-websocket-key", "sec-websocket-accept",
            "sec-websocket-version", "sec-websocket-extensions",
        ].map { Array($0.utf8) })
}
