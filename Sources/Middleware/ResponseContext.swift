package import Containers
package import HTTP

/// A final response head on its way to the client, from the upstream or made by us.
public struct ResponseContext: ~Copyable {
    /// Bytes of the response head (empty for a local reply, whose own fields are in `additions` already).
    package var bytes: Buffer
    package var head = ResponseHead()
    package var additions = FieldAdditions()
    /// The request's head as received: for looking up its fields in the response phase.
    package var requestBytes: Buffer
    package var requestID = Buffer(capacity: 128)
    package var isLocal = false
    /// The value that this middleware left in the request phase.
    package var slot: UInt64 = 0
    package var now = Instant(nanoseconds: 0)

    package init() {
        bytes = Buffer(capacity: 1)
        requestBytes = Buffer(capacity: 1)
    }

    package mutating func reset() {
        head.reset()
        additions.removeAll()
        requestID.clear()
        isLocal = false
        slot = 0
    }
}
