internal import Config
internal import HTTP

/// `body_limit`: the most bytes of a request body. An announced length above it is refused at once; the engine counts
/// the others as they come.
struct BodyLimitMiddleware: ~Copyable, Sendable {
    private let maxBytes: Int

    init(_ config: BodyLimitConfig) {
        maxBytes = config.maxBytes
    }

    func onRequest(_ request: inout RequestContext) -> Verdict {
        request.limitBody(to: maxBytes)
        if case .length(let count) = request.head.framing, count > maxBytes { return request.reply(.bodyTooLarge) }
        return .next
    }
}
