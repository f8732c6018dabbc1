/// Status codes of gRPC that errors of the gateway become.
enum GRPCStatus: Int {
    case unknown = 2
    case deadlineExceeded = 4
    case permissionDenied = 7
    case resourceExhausted = 8
    case unimplemented = 12
    case internalError = 13
    case unavailable = 14
    case unauthenticated = 16

    /// As clients of gRPC take an HTTP status without a code of gRPC for, but finer where it says more: limits are exhausted
    /// resources, and an answer that came too late may have been preceded by its effect, so that it is not `unavailable`, which
    /// clients try again.
    init(httpStatus status: Int) {
        switch status {
        case 400, 421, 500: self = .internalError
        case 401: self = .unauthenticated
        case 403: self = .permissionDenied
        case 404, 405, 501: self = .unimplemented
        case 408, 504: self = .deadlineExceeded
        case 413, 414, 429, 431: self = .resourceExhausted
        case 502, 503: self = .unavailable
        default: self = .unknown
        }
    }
}
