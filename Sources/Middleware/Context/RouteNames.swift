/// What a route and its path parameters are called: one reference, so that handing it from request to request costs no more than a
/// comparison as long as the route stays the same.
package final class RouteNames: Sendable {
    package let route: [UInt8]
    /// In the order of `RequestContext.parameters`.
    package let parameters: [[UInt8]]

    package init(route: [UInt8], parameters: [[UInt8]]) {
        self.route = route
        self.parameters = parameters
    }

    /// Of requests that no route serves.
    package static let none = RouteNames(route: [], parameters: [])
}
