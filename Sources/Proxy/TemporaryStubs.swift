import Config
import Middleware
import Containers

package protocol SubrequestSender: Sendable {}
package struct NoSubrequests: SubrequestSender { package init() {} }
package struct MiddlewareKinds: Sendable { package init() {} }
package final class MiddlewareInstances: Sendable {
    init(_ c: [NamedMiddleware], previous: MiddlewareInstances?, custom: MiddlewareKinds, subrequests: any SubrequestSender) throws {}
    func chain(for r: RouteConfig) throws -> MiddlewareChain { .empty }
}

import HTTP
package final class Router: Sendable {
    init(_ r: [RouteConfig], listener: String) {}
    func match(host: Span<UInt8>, path: Span<UInt8>, method: Method, methodBytes: Span<UInt8>, query: Span<UInt8>, head: borrowing RequestHead, bytes: Span<UInt8>, parameters: inout FixedArray<ByteRange>) -> RouteMatch { .route(0) }
    func allowedMethods(host: Span<UInt8>, path: Span<UInt8>) -> [String] { [] }
}
enum RouteMatch { case route(Int), notFound, methodNotAllowed }
import EventLoop
extension Worker where Driver: ~Copyable {
    mutating func logExchange(_ e: SlabKey) {}
    mutating func noteLogNames(_ e: SlabKey) {}
    mutating func perform(_ c: any WorkerCommand) {}
}
