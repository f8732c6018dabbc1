package import Config
import Containers
package import HTTP
package import Upstream

/// A request that a client of the gateway's own makes: what a worker needs to send it.
///
/// The head is encoded by the caller, who has checked every byte of it; the worker only puts the Host line between the two
/// parts.
package final class ClientCallRequest: Sendable {
    package enum Target: Sendable {
        /// An upstream of the snapshot in force.
        case named(String)
        /// An origin outside of the configuration; its name is unlike any of the configuration's.
        case origin(UpstreamState)
    }

    package enum Body: Sendable {
        case none
        case bytes([UInt8])
        /// Pieces that come through `ClientCallHandle`; the number says how many bytes in all, nil: chunked.
        case stream(length: Int?)
    }

    let target: Target
    let method: Method
    /// `METHOD SP target SP HTTP/1.1 CRLF`.
    let requestLine: [UInt8]
    /// The value of Host; nil: what the upstream's policy says.
    let host: [UInt8]?
    /// Field lines with the framing field and the empty line that ends the head.
    let fields: [UInt8]
    let body: Body
    /// Nil: those of the upstream.
    let timeouts: CallTimeouts?
    /// Nanoseconds for the whole call; nil: those of `timeouts`.
    let total: Int64?
    package let handle: ClientCallHandle

    package init(
        target: Target, method: Method, requestLine: [UInt8], host: [UInt8]?, fields: [UInt8], body: Body,
        timeouts: CallTimeouts?, total: Int64?, handle: ClientCallHandle
    ) {
        self.target = target
        self.method = method
        self.requestLine = requestLine
        self.host = host
        self.fields = fields
        self.body = body
        self.timeouts = timeouts
        self.total = total
        self.handle = handle
    }

    /// Nothing but the head has to be sent again, and sending it twice does no harm (RFC 9110 section 9.2.2).
    var isReplayable: Bool {
        if case .none = body { return method.isIdempotent }
        return false
    }
}

/// How long each phase of a call may take, in nanoseconds; `.max`: no limit.
package struct CallTimeouts: Sendable, Equatable {
    package var queue: Int64
    package var connect: Int64
    package var response: Int64
    package var bodyIdle: Int64
    package var total: Int64

    package init(_ timeouts: UpstreamConfig.Timeouts) {
        queue = timeouts.queue.wholeNanoseconds
        connect = timeouts.connect.wholeNanoseconds
        response = timeouts.response.wholeNanoseconds
        bodyIdle = timeouts.bodyIdle.wholeNanoseconds
        total = timeouts.total?.wholeNanoseconds ?? .max
    }
}

/// Why a call has no complete answer.
package enum ClientCallFailure: Error, Equatable, Sendable {
    /// One of the codes of upstreams and the gateway.
    case code(ErrorCode)
    case unknownUpstream(String)
    /// The worker has ended.
    case shutDown
    /// Two readers of one body.
    case bodyInUse
}
