package import Containers
package import HTTP
package import Net

/// A request while the pipeline decides on it: its head, where it came from, and what will change on the way upstream.
///
/// A worker has one and fills it for request after request; nothing in here allocates once it has its size.
public struct RequestContext: ~Copyable {
    /// The head's bytes; offsets in `head` count from its first readable byte.
    package var bytes: Buffer
    package var head = RequestHead()
    /// Field lines that will be sent upstream behind the client's own.
    package var additions = FieldAdditions()
    /// Canonical path (without query); parameters are ranges of it.
    package var path = Buffer(capacity: RequestContext.pathLimit)
    package var parameters = FixedArray<ByteRange>(capacity: RequestContext.parametersLimit)
    /// Names of the route and of `parameters`.
    package var names = RouteNames.none
    /// Normalised host: lower case, without port and trailing dot.
    package var host = Buffer(capacity: 512)
    /// Who sends: the peer, or whom a trusted peer names. Unix sockets without a name of a client: 0.0.0.0.
    package var client: IPAddress = .v4(0)
    package var clientPort: UInt16 = 0
    /// Whether the client came over TLS: here, or at a proxy that we trust and that says so.
    package var isSecure = false
    /// The client's connection when TLS ends here; nil: it does not.
    package var secure: SecureConnection?
    /// 32 lower-case hexadecimal digits, or what a trusted peer sent (at most 128 bytes).
    package var requestID = Buffer(capacity: RequestContext.requestIDLimit)
    /// Who the client proved to be; empty: nobody.
    package var identity = Buffer(capacity: RequestContext.identityLimit)
    package var now = Instant(nanoseconds: 0)
    /// A number of this middleware for this request: set in the request phase, read in the response phase. 0 at first.
    public var slot: UInt64 = 0
    /// Most body bytes that this request may bring; `.max`: no limit. Middleware may lower it.
    package var bodyLimit = Int.max
    /// Set together with the verdict `.reply`.
    package var localReply: LocalReply? {
        get { boxedReply?.reply }
        set { boxedReply = newValue.map(BoxedReply.init) }
    }
    /// Behind a reference: a `String` inside this struct makes the compiler refuse spans of its buffers.
    private var boxedReply: BoxedReply?
    /// Memory for one value in the making; taken out while it is written, so nil only inside a call.
    package var scratch: Buffer? = Buffer(capacity: RequestContext.scratchLimit)

    package static let pathLimit = 16_384
    package static let parametersLimit = 32
    package static let requestIDLimit = 128
    /// Bytes of an identity; a longer one is refused.
    package static let identityLimit = 512
    /// Bytes of a value that a template or key makes.
    package static let scratchLimit = 16_384

    package init() {
        bytes = Buffer(capacity: 1)
    }

    /// Forgets the last request.
    package mutating func reset() {
        head.reset()
        resetDecision()
    }

    /// Forgets what was decided about the last request; the head is the next one's already.
    package mutating func resetDecision() {
        additions.removeAll()
        path.clear()
        parameters.removeAll()
        host.clear()
        requestID.clear()
        identity.clear()
        slot = 0
        bodyLimit = .max
        if boxedReply != nil { boxedReply = nil }
        if secure != nil { secure = nil }
    }
}

private final class BoxedReply {
    let reply: LocalReply
    init(_ reply: LocalReply) { self.reply = reply }
}
