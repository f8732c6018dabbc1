import Middleware

/// A request whose middleware decides elsewhere: its context is kept until the answer comes.
final class SuspendedRequest {
    var context: RequestContext
    let forwarding: ForwardingWriter

    init(_ context: consuming RequestContext, _ forwarding: ForwardingWriter) {
        self.forwarding = forwarding
        self.context = context
    }
}
