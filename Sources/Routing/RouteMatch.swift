/// What routing found.
package enum RouteMatch: Sendable, Equatable {
    /// The position of the route among those that the router was made of.
    case route(Int)
    /// 404.
    case notFound
    /// 405: a route would match the same request with another method.
    case methodNotAllowed
}
