import HTTP
import Proxy

/// Why a request has no (complete) answer. An answer with an error status is an answer.
///
/// A task that is cancelled gets `CancellationError`; a body stream that throws ends the request with its own error.
public enum ClientError: Error, Sendable, Equatable {
    // Nothing was sent.
    case invalidURL(String)
    case invalidRequest(String)
    case unknownUpstream(String)
    /// The session was shut down; a request that ran may have reached the service.
    case shutDown

    // The way to the service.
    case dnsError, connectionRefused, connectionTimeout, noEndpoint
    /// As many requests as may wait for a connection do.
    case connectionLimitReached
    case queueTimeout
    case overloaded

    // The answer.
    /// The service closed or reset the connection before a byte of an answer.
    case connectionTerminated, connectionReset
    case responseTimeout, responseBodyTimeout, writeTimeout, totalTimeout
    /// The connection ended in the middle of the answer.
    case responseIncomplete
    /// The answer is not valid HTTP.
    case responseInvalid
    case responseHeadersTooLarge, tooManyInterim
    /// The body has more bytes than the caller wants.
    case bodyTooLarge(limit: Int)
    /// The body is no UTF-8.
    case invalidText
    /// The body was read by somebody else, or before.
    case bodyInUse
    case internalError

    /// The name that the gateway's logs and answers use for the same, `connection_refused` for instance.
    public var code: String {
        switch self {
        case .invalidURL: "invalid_url"
        case .invalidRequest: "invalid_request"
        case .unknownUpstream: "unknown_upstream"
        case .shutDown: "shut_down"
        case .bodyTooLarge: "response_body_too_large"
        case .invalidText: "invalid_text"
        case .bodyInUse: "body_in_use"
        default: Self.codes.first { $0.error == self }.map { "\($0.code.row.name)" } ?? "internal_error"
        }
    }

    private static let codes: [(code: ErrorCode, error: ClientError)] = [
        (.dnsError, .dnsError), (.connectionRefused, .connectionRefused), (.connectionTimeout, .connectionTimeout),
        (.noEndpoint, .noEndpoint), (.connectionLimitReached, .connectionLimitReached), (.queueTimeout, .queueTimeout),
        (.overloaded, .overloaded), (.connectionTerminated, .connectionTerminated),
        (.connectionReset, .connectionReset), (.responseTimeout, .responseTimeout),
        (.responseBodyTimeout, .responseBodyTimeout), (.writeTimeout, .writeTimeout), (.totalTimeout, .totalTimeout),
        (.responseIncomplete, .responseIncomplete), (.responseInvalid, .responseInvalid),
        (.responseHeadersTooLarge, .responseHeadersTooLarge), (.tooManyInterim, .tooManyInterim),
        (.internalError, .internalError),
    ]

    /// The public error for what a call ended with; errors of the caller's own stay as they are.
    static func mapped(_ error: any Error) -> any Error {
        guard let failure = error as? ClientCallFailure else { return error }
        switch failure {
        case .code(let code): return codes.first { $0.code == code }?.error ?? ClientError.internalError
        case .unknownUpstream(let name): return ClientError.unknownUpstream(name)
        case .shutDown: return ClientError.shutDown
        case .bodyInUse: return ClientError.bodyInUse
        }
    }
}
