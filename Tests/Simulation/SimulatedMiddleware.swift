import Containers
import Middleware

/// Kinds of middleware that only simulated worlds have.
enum SimulatedMiddleware {
    static func kinds(_ desk: VirtualDesk) -> MiddlewareKinds {
        var kinds = MiddlewareKinds()
        kinds.registerAsync("decide") { _ in DecidingMiddleware(desk: desk) }
        let bounds = 1...Int.max
        kinds.register(
            "asks", keys: [.integer("interval", in: bounds), .integer("tolerance", in: bounds)]
        ) { settings in
            AskingMiddleware(
                desk: desk, interval: Int64(settings.integer("interval")),
                tolerance: Int64(settings.integer("tolerance")))
        }
        kinds.register("passed") { _ in PassedMiddleware(desk: desk) }
        return kinds
    }
}

/// Decides when the world says so, and marks the request with whose decision it was.
private struct DecidingMiddleware: AsyncMiddleware {
    let desk: VirtualDesk

    func decide(_ request: RequestSnapshot) async -> AsyncDecision {
        let nonce = request.string(of: "X-Nonce") ?? ""
        switch await desk.decision(on: nonce) {
        case .passes, .late: return .next(set: [.init("X-Decided", "d-\(nonce)")])
        case .replies, .missing: return .reply(LocalReply(status: 418))
        }
    }
}

/// Stands before the limiter: tells the model what it will be asked.
private struct AskingMiddleware: Middleware {
    let desk: VirtualDesk
    let interval: Int64
    let tolerance: Int64

    func onRequest(_ request: inout RequestContext) -> Verdict {
        desk.note(
            .asks(
                nonce: request.string(of: "X-Nonce") ?? "", group: request.string(of: "X-Group") ?? "",
                now: request.now.nanoseconds, interval: interval, tolerance: tolerance))
        return .next
    }
}

/// Stands behind the limiter.
private struct PassedMiddleware: Middleware {
    let desk: VirtualDesk

    func onRequest(_ request: inout RequestContext) -> Verdict {
        desk.note(.passed(nonce: request.string(of: "X-Nonce") ?? ""))
        return .next
    }
}
