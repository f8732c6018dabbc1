package import Containers
package import HTTP
package import Net

/// A final response head on its way to the client, from the upstream or made by us.
public struct ResponseContext: ~Copyable {
    /// Bytes of the response head (empty for a local reply, whose own fields are in `additions` already).
    package var bytes: Buffer
    package var head = ResponseHead()
    package var additions = FieldAdditions()
    /// The request's head as received: for looking up its fields in the response phase.
    package var requestBytes: Buffer
    package var requestID = Buffer(capacity: RequestContext.requestIDLimit)
    /// As in the request phase.
    package var client: IPAddress = .v4(0)
    /// As in the request phase.
    package var isSecure = false
    package var secure: SecureConnection?
    /// As the request phase left it.
    package var identity = Buffer(capacity: RequestContext.identityLimit)
    package var names = RouteNames.none
    package var isLocal = false
    /// It tells a client of gRPC of an error.
    package var isGRPC = false
    /// The value that this middleware left in the request phase.
    public package(set) var slot: UInt64 = 0
    package var now = Instant(nanoseconds: 0)
    /// Memory for one value in the making; taken out while it is written, so nil only inside a call.
    package var scratch: Buffer? = Buffer(capacity: RequestContext.scratchLimit)

    package init() {
        // Room for the reason phrase of a local reply.
        bytes = Buffer(capacity: 128)
        requestBytes = Buffer(capacity: 1)
    }

    package mutating func reset() {
        head.reset()
        additions.removeAll()
        requestID.clear()
        identity.clear()
        client = .v4(0)
        isSecure = false
        if secure != nil { secure = nil }
        names = .none
        isLocal = false
        isGRPC = false
        slot = 0
    }
}
