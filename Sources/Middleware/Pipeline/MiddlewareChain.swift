private import Containers
private import HTTP

/// What a chain decided on a request.
package enum ChainOutcome: Sendable, Equatable {
    /// Every step said `.next`; all of them see the response.
    case next
    /// Answer with `request.localReply`; the first `entered` steps see the response.
    case reply(entered: Int)
    /// Ask `decide(_:at:)` of this step, `apply` what it says, then go on behind it.
    case suspend(step: Int)
}

/// The middleware of a route, in order.
///
/// The order in which the engine calls it, with one set of slots per exchange:
///
///     onRequest(from: 0) ── .next ──────────────────────────> upstream ──> onResponse(entered: count)
///          │  └── .reply(entered) ──> local reply ──> onResponse(entered)
///          └── .suspend(step) ──> decide (async) ──> apply(at: step) ── .next ──> onRequest(from: step + 1)
///                                                         └── .reply ──> local reply ──> onResponse(entered: step + 1)
package final class MiddlewareChain: Sendable {
    /// Steps of one chain.
    package static let limit = 16
    package typealias Slots = InlineArray<16, UInt64>

    /// How many steps there are; 0...16.
    package let count: Int
    /// Whether a step answers preflights; the chain of a route that does is run for preflights of the route's methods too.
    package let answersPreflights: Bool
    // Inside the object and not copyable: calling a step counts no references.
    private let steps: InlineArray<16, MiddlewareStep>

    /// A chain of at most `limit` steps; what is more is a problem of the configuration and refused before
    /// (`MiddlewareInstances.chain(for:)`).
    init(_ parts: [StepMaker]) {
        precondition(parts.count <= Self.limit)
        count = parts.count
        answersPreflights = parts.contains { $0.answersPreflights }
        steps = InlineArray { index in
            guard index < parts.count else { return .none }
            return parts[index].make()
        }
    }

    /// A chain of one step.
    package convenience init(of middleware: any AsyncMiddleware) { self.init([.asynchronous(middleware)]) }

    package var isEmpty: Bool { count == 0 }

    /// A chain without steps.
    package static let empty = MiddlewareChain([])

    /// Runs the request phase from a step on. `slots` begins with zeros and lives as long as the exchange.
    package func onRequest(_ request: inout RequestContext, from step: Int, slots: inout Slots) -> ChainOutcome {
        var index = step
        while index < count {
            request.slot = slots[index]
            let verdict = steps[index].onRequest(&request)
            slots[index] = request.slot
            switch verdict {
            case .next: index += 1
            case .reply:
                if request.localReply == nil { request.localReply = LocalReply(.middlewareFailed) }
                return .reply(entered: index + 1)
            case .suspend:
                guard steps[index].isAsynchronous else {
                    request.localReply = LocalReply(.middlewareFailed)
                    return .reply(entered: index + 1)
                }
                return .suspend(step: index)
            }
        }
        return .next
    }

    /// Runs the response phase in reverse for the first `entered` steps.
    package func onResponse(_ response: inout ResponseContext, entered: Int, slots: borrowing Slots) {
        var index = min(entered, count)
        while index > 0 {
            index -= 1
            response.slot = slots[index]
            steps[index].onResponse(&response)
        }
    }

    /// Asks the asynchronous middleware of a suspended step. Runs on the caller's executor; a step that is not
    /// asynchronous answers with an error.
    package func decide(_ request: RequestSnapshot, at step: Int) async -> AsyncDecision {
        guard step < count, let middleware = steps[step].asynchronous else {
            return .reply(LocalReply(.middlewareFailed))
        }
        return await middleware.decide(request)
    }

    /// Carries out what a suspended step decided: `.next`, then continue with `onRequest(from: step + 1)`; or `.reply`
    /// with the reply set, `step + 1` steps entered.
    package func apply(_ decision: AsyncDecision, to request: inout RequestContext, at step: Int) -> Verdict {
        switch decision {
        case .reply(let reply): return request.reply(reply)
        case .next(let set, let remove, let identity):
            for name in remove { request.remove(name) }
            for field in set where !request.set(field.name, to: field.value.span) {
                return request.reply(.middlewareFailed)
            }
            if let identity, !request.setIdentity(identity.span) { return request.reply(.middlewareFailed) }
            return .next
        }
    }
}
