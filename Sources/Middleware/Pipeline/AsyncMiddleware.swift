/// Middleware that has to wait for something before it can decide.
///
/// The request is suspended meanwhile; the worker serves others. `decide` runs as a task on the worker's own executor
/// and must not block it; it gets copies, since the connection may end at any time. It must not start a plain `Task {}`
/// nor call `Task.sleep`, which would leave the worker. When the answer does not come in time, the gateway answers 503.
public protocol AsyncMiddleware: Sendable {
    /// Called first, on the loop: `.next` or `.reply` when the answer is known already (a cache), else `.suspend`.
    func onRequest(_ request: inout RequestContext) -> Verdict
    /// What to do with the request. Errors are decisions too: whatever goes wrong must not let a request through.
    func decide(_ request: RequestSnapshot) async -> AsyncDecision
    /// A response head is about to be sent; as `Middleware.onResponse`.
    func onResponse(_ response: inout ResponseContext)
}

extension AsyncMiddleware {
    public func onRequest(_ request: inout RequestContext) -> Verdict { .suspend }
    public func onResponse(_ response: inout ResponseContext) {}
}

/// What an asynchronous middleware decided.
public enum AsyncDecision: Sendable {
    /// A field to be set on the request.
    public struct Field: Sendable {
        public let name: FieldName
        public let value: [UInt8]

        public init(_ name: FieldName, _ value: [UInt8]) {
            self.name = name
            self.value = value
        }

        public init(_ name: FieldName, _ value: String) {
            self.init(name, Array(value.utf8))
        }
    }

    /// Go on. First the names in `remove` are removed in every spelling, then the fields are set; `identity`, if given,
    /// says who the client is. A field that cannot be sent ends the request with 503.
    case next(set: [Field] = [], remove: [FieldName] = [], identity: [UInt8]? = nil)
    case reply(LocalReply)
}
