package import Middleware

/// For engines without a client: every subrequest fails, so that what asks for one fails closed.
package struct NoSubrequests: SubrequestSender {
    package struct Unavailable: Error {}

    package init() {}

    package func send(_ request: Subrequest) async throws -> SubrequestResponse { throw Unavailable() }
}
