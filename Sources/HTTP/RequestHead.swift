package import Containers

/// A parsed and validated request head: offsets into the head's bytes, which somebody else holds.
///
/// One value is reused by a worker for request after request: `reset` forgets the last one and keeps the memory.
package struct RequestHead: ~Copyable {
    /// Most fields of a request that any configuration may allow.
    package static let fieldsLimit = 256
    /// Fields that a head has room for: with ours, more than any client's. As large as a response's: HTTP/2 decodes both into the
    /// same memory, which goes from one to the other.
    package static let fieldsCapacity = ResponseHead.fieldsLimit

    package enum TargetForm: Sendable { case origin, absolute, asterisk }

    /// Field lines in order of arrival.
    package var fields: FixedArray<FieldLine>
    package var method: Method = .get
    /// The method's bytes.
    package var methodRange: ByteRange = .empty
    /// The request target as received.
    package var target: ByteRange = .empty
    package var form: TargetForm = .origin
    /// Path of the target, without the query; empty for an absolute-form target without a path, and for `*`.
    package var path: ByteRange = .empty
    /// Bytes behind the `?`, nil without one.
    package var query: ByteRange?
    /// The authority that counts: from an absolute-form target, else from Host. Empty only for HTTP/1.0 without Host.
    package var authority: ByteRange = .empty
    /// 0 for HTTP/1.0, 1 for HTTP/1.1 (1.2 to 1.9 count as 1.1).
    package var minorVersion: UInt8 = 1
    /// It came in HTTP/2; `minorVersion` is 1 then.
    package var isHTTP2 = false
    package var framing: BodyFraming = .none
    /// Whether the client wants to keep the connection (RFC 9112 section 9.3).
    package var keepAlive = true
    /// `Expect: 100-continue` of an HTTP/1.1 request with content.
    package var expectsContinue = false
    /// `TE: trailers` was sent with `Connection: TE`.
    package var acceptsTrailers = false
    /// A valid WebSocket handshake (RFC 6455 section 4.2.1): GET, 1.1, Upgrade, Connection, key and version.
    package var isWebSocketHandshake = false
    /// Bytes of the whole head with its empty line.
    package var byteCount = 0

    package init() {
        fields = FixedArray(capacity: Self.fieldsCapacity)
    }

    package mutating func reset() {
        fields.removeAll()
        method = .get
        methodRange = .empty
        target = .empty
        form = .origin
        path = .empty
        query = nil
        authority = .empty
        minorVersion = 1
        isHTTP2 = false
        framing = .none
        keepAlive = true
        expectsContinue = false
        acceptsTrailers = false
        isWebSocketHandshake = false
        byteCount = 0
    }
}
