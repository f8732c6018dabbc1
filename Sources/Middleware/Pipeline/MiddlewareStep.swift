/// One step of a chain. Not copyable, so that a step is borrowed where it stands.
enum MiddlewareStep: ~Copyable, Sendable {
    case none
    case headers(HeadersMiddleware)
    case custom(any Middleware)
    case asynchronous(any AsyncMiddleware)

    func onRequest(_ request: inout RequestContext) -> Verdict {
        switch self {
        case .none: .next
        case .headers(let middleware): middleware.onRequest(&request)
        case .custom(let middleware): middleware.onRequest(&request)
        case .asynchronous(let middleware): middleware.onRequest(&request)
        }
    }

    func onResponse(_ response: inout ResponseContext) {
        switch self {
        case .none: break
        case .headers(let middleware): middleware.onResponse(&response)
        case .custom(let middleware): middleware.onResponse(&response)
        case .asynchronous(let middleware): middleware.onResponse(&response)
        }
    }

    /// The middleware that decides on a suspended request, nil when this step never suspends.
    var asynchronous: (any AsyncMiddleware)? {
        switch self {
        case .asynchronous(let middleware): middleware
        default: nil
        }
    }

    var isAsynchronous: Bool {
        switch self {
        case .asynchronous: true
        default: false
        }
    }
}

/// Something that a chain can be built of.
protocol MiddlewareStepMaker: Sendable {
    func makeStep() -> MiddlewareStep
}
