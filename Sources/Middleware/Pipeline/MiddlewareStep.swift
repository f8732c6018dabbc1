/// One step of a chain. Not copyable, so that a step is borrowed where it stands.
enum MiddlewareStep: ~Copyable, Sendable {
    case none
    case headers(HeadersMiddleware)
    case apiKey(APIKeyMiddleware)
    case basicAuth(BasicAuthMiddleware)
    case rateLimit(RateLimitMiddleware)
    case ipFilter(IPFilterMiddleware)
    case bodyLimit(BodyLimitMiddleware)
    case requestID(RequestIDMiddleware)
    case cors(CORSMiddleware)
    case hsts(HSTSMiddleware)
    case custom(any Middleware)
    case asynchronous(any AsyncMiddleware)

    func onRequest(_ request: inout RequestContext) -> Verdict {
        switch self {
        case .none: .next
        case .headers(let middleware): middleware.onRequest(&request)
        case .apiKey(let middleware): middleware.onRequest(&request)
        case .basicAuth(let middleware): middleware.onRequest(&request)
        case .rateLimit(let middleware): middleware.onRequest(&request)
        case .ipFilter(let middleware): middleware.onRequest(&request)
        case .bodyLimit(let middleware): middleware.onRequest(&request)
        case .requestID(let middleware): middleware.onRequest(&request)
        case .cors(let middleware): middleware.onRequest(&request)
        case .hsts(let middleware): middleware.onRequest(&request)
        case .custom(let middleware): middleware.onRequest(&request)
        case .asynchronous(let middleware): middleware.onRequest(&request)
        }
    }

    func onResponse(_ response: inout ResponseContext) {
        switch self {
        case .none: break
        case .apiKey: break
        case .basicAuth: break
        case .ipFilter: break
        case .bodyLimit: break
        case .headers(let middleware): middleware.onResponse(&response)
        case .rateLimit(let middleware): middleware.onResponse(&response)
        case .requestID(let middleware): middleware.onResponse(&response)
        case .cors(let middleware): middleware.onResponse(&response)
        case .hsts(let middleware): middleware.onResponse(&response)
        case .custom(let middleware): middleware.onResponse(&response)
        case .asynchronous(let middleware): middleware.onResponse(&response)
        }
    }

    /// The middleware that decides on a suspended request, nil when this step never suspends.
    var asynchronous: (any AsyncMiddleware)? {
        switch self {
        case .basicAuth(let middleware): middleware
        case .asynchronous(let middleware): middleware
        default: nil
        }
    }

    var isAsynchronous: Bool {
        switch self {
        case .basicAuth: true
        case .asynchronous: true
        default: false
        }
    }
}

/// Makes a step for one chain; what chains share (a table, a cache) is shared by reference.
struct StepMaker: Sendable {
    var answersPreflights = false
    let make: @Sendable () -> MiddlewareStep
}

extension StepMaker {
    static func custom(_ middleware: any Middleware) -> StepMaker {
        StepMaker { .custom(middleware) }
    }

    static func asynchronous(_ middleware: any AsyncMiddleware) -> StepMaker {
        StepMaker { .asynchronous(middleware) }
    }
}
