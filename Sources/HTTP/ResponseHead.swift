package import Containers

/// A parsed and validated response head: offsets into the head's bytes, which somebody else holds.
package struct ResponseHead: ~Copyable {
    /// Most fields of a response that any configuration may allow.
    package static let fieldsLimit = 512

    package var fields: FixedArray<FieldLine>
    /// 100 to 999.
    package var status = 200
    /// The reason phrase as received; may be empty.
    package var reason: ByteRange = .empty
    package var minorVersion: UInt8 = 1
    package var framing: BodyFraming = .none
    /// Content-Length of an answer to HEAD or of a 304, where it frames nothing but is forwarded.
    package var declaredLength: Int?
    /// Whether the upstream lets the connection live on.
    package var keepAlive = true
    /// Seconds of a `Keep-Alive: timeout=` parameter, nil without one.
    package var keepAliveTimeoutSeconds: Int?
    /// For a 101: Upgrade says websocket and Connection says upgrade; `secWebSocketAccept` still has to be compared.
    package var isWebSocketSwitch = false
    package var secWebSocketAccept: ByteRange = .empty
    package var hasDate = false
    /// Content-Type is text/event-stream (or another detected endless stream).
    package var isEventStream = false
    package var byteCount = 0

    package init() {
        fields = FixedArray(capacity: Self.fieldsLimit)
    }

    package mutating func reset() {
        fields.removeAll()
        status = 200
        reason = .empty
        minorVersion = 1
        framing = .none
        declaredLength = nil
        keepAlive = true
        keepAliveTimeoutSeconds = nil
        isWebSocketSwitch = false
        secWebSocketAccept = .empty
        hasDate = false
        isEventStream = false
        byteCount = 0
    }
}
