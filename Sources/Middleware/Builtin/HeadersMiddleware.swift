internal import Config
internal import Containers
internal import HTTP

/// `headers`: removes, sets and adds fields of the request and the response.
struct HeadersMiddleware: ~Copyable, Sendable {
    private let request: CompiledEdits
    private let response: CompiledEdits

    init(_ config: HeadersConfig) {
        request = CompiledEdits(config.request)
        response = CompiledEdits(config.response)
    }

    func onRequest(_ context: inout RequestContext) -> Verdict {
        guard !request.isEmpty else { return .next }
        // A credential that does not arrive could change what the upstream allows: better no answer than a wrong one.
        return request.apply(to: &context) ? .next : context.reply(.middlewareFailed)
    }

    func onResponse(_ context: inout ResponseContext) {
        guard !response.isEmpty else { return }
        response.apply(to: &context)
    }
}
