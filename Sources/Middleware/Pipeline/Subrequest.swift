/// A request that middleware makes on behalf of a client's request.
package struct Subrequest: Sendable {
    /// Name of an upstream of the configuration.
    package var upstream: String
    package var method = "GET"
    /// Path and query.
    package var target: String
    /// Host, framing and connection fields are the sender's.
    package var headers: [MessageField] = []
    /// From handing it over to the last byte of the answer.
    package var timeout: Duration
    /// Most bytes of the answer's body; a longer one is an error.
    package var bodyLimit: Int

    package init(upstream: String, target: String, timeout: Duration, bodyLimit: Int) {
        self.upstream = upstream
        self.target = target
        self.timeout = timeout
        self.bodyLimit = bodyLimit
    }
}

package struct SubrequestResponse: Sendable {
    /// Final status, 200 to 599.
    package var status: Int
    /// As received, in order.
    package var headers: [MessageField]
    package var body: [UInt8]

    package init(status: Int, headers: [MessageField] = [], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// A field line of a message that is held in memory.
package struct MessageField: Sendable, Equatable {
    package var name: String
    package var value: [UInt8]

    package init(_ name: String, _ value: [UInt8]) {
        self.name = name
        self.value = value
    }

    package init(_ name: String, _ value: String) {
        self.init(name, Array(value.utf8))
    }
}

/// Sends subrequests through the gateway's own pools.
package protocol SubrequestSender: Sendable {
    /// Sends a request and reads its whole answer. Redirects are not followed. Throws for everything that is no
    /// complete answer in time and within the limits; a `SubrequestFailure` where the reason matters.
    func send(_ request: Subrequest) async throws -> SubrequestResponse
}

/// Why there is no answer to a subrequest.
package protocol SubrequestFailure: Error {
    /// The service was asked, or was going to be, and time ran out before its answer was complete.
    var isTimeout: Bool { get }
}
