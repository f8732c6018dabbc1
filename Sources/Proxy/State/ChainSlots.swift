import Middleware

/// What the middleware of an exchange keeps between the request and the response. In a slab of its own, for routes without middleware.
struct ChainSlots: ~Copyable {
    var values = MiddlewareChain.Slots(repeating: 0)
}
