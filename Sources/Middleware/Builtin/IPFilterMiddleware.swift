internal import Config
internal import HTTP

/// `ip_filter`: who may come at all. A denied address stays out although it is allowed too.
struct IPFilterMiddleware: ~Copyable, Sendable {
    private let allow: AddressSet
    private let deny: AddressSet
    private let allowsOnlyListed: Bool

    init(_ config: IPFilterConfig) {
        allow = AddressSet(config.allow)
        deny = AddressSet(config.deny)
        allowsOnlyListed = !config.allow.isEmpty
    }

    func onRequest(_ request: inout RequestContext) -> Verdict {
        if deny.contains(request.client) || (allowsOnlyListed && !allow.contains(request.client)) {
            return request.reply(.forbidden)
        }
        return .next
    }
}
