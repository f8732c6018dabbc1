internal import Config
internal import Containers

/// `hsts`: Strict-Transport-Security on answers that go over TLS (RFC 6797 section 7.2: on no others).
struct HSTSMiddleware: ~Copyable, Sendable {
    private let name = FieldName("Strict-Transport-Security")
    private let value: [UInt8]

    init(_ config: HSTSConfig) {
        var text = "max-age=\(config.maxAge.components.seconds)"
        if config.includeSubdomains { text += "; includeSubDomains" }
        if config.preload { text += "; preload" }
        value = Array(text.utf8)
    }

    func onRequest(_ request: inout RequestContext) -> Verdict {
        request.slot = request.isSecure ? 1 : 0
        return .next
    }

    /// In place of the service's own, so that one place says what holds.
    func onResponse(_ response: inout ResponseContext) {
        guard response.slot == 1 else { return }
        _ = response.set(name, to: value.span)
    }
}
