import Middleware

/// A request whose middleware decides elsewhere: its context is kept until the answer comes.
final class SuspendedRequest {
    var context: RequestContext

    init(_ context: consuming RequestContext) {
        self.context = context
    }
}
