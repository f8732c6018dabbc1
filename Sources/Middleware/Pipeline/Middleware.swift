/// Code on the path of a request.
///
/// One value serves all workers at once and lives as long as its name stands in the configuration: it is immutable, or
/// guards what it changes. Its methods run on a worker's loop and must not block. What changes per request lives in
/// the context; the 64-bit `slot` carries a value from the request phase to the response phase.
public protocol Middleware: Sendable {
    /// The request's head is complete and a route was found; nothing was sent upstream yet.
    func onRequest(_ request: inout RequestContext) -> Verdict
    /// A response head is about to be sent, from the upstream or a local reply. Called in reverse order, only for
    /// middleware that saw the request.
    func onResponse(_ response: inout ResponseContext)
}

extension Middleware {
    public func onRequest(_ request: inout RequestContext) -> Verdict { .next }
    public func onResponse(_ response: inout ResponseContext) {}
}
