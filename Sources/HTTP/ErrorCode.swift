/// Why the gateway answered itself, or why an exchange failed: one name for the error body, `Proxy-Status`, the access
/// log and metrics, and the one place for its status and wording.
package enum ErrorCode: UInt8, Sendable, CaseIterable {
    case none
    // The request.
    case badRequest, uriTooLong, headersTooLarge, unsupportedVersion, unsupportedCoding, expectationFailed
    case requestTimeout, bodyTimeout, bodyTooLarge, methodNotSupported, pathRefused, trailersTooLarge
    // Policy.
    case noRoute, methodNotAllowed, unauthorized, forbidden, rateLimited, misdirected
    case upgradeRefused
    // The upstream.
    case connectionRefused, connectionTimeout, connectionTerminated, connectionReset, connectionLimitReached, queueTimeout
    case responseTimeout, responseIncomplete, responseInvalid, responseHeadersTooLarge, responseBodyTimeout
    case upgradeFailed, noEndpoint, dnsError, totalTimeout, tooManyInterim
    // The gateway.
    case overloaded, middlewareFailed, middlewareTimeout, loopDetected, draining, internalError
    // Only in logs: nobody was there to be answered.
    case clientClosed, writeTimeout, idleTimeout, messageTooBig

    package struct Row: Sendable {
        /// In bodies, logs and metrics.
        package let name: StaticString
        /// 0: never answered.
        package let status: Int
        /// Error type of RFC 9209 section 2.3, empty when `Proxy-Status` names the generic one.
        package let proxyStatus: StaticString
        package let title: StaticString
    }

    package var row: Row {
        switch self {
        case .none: Row(name: "", status: 0, proxyStatus: "", title: "")
        case .badRequest: Row(name: "bad_request", status: 400, proxyStatus: "http_request_error", title: "The request is not valid HTTP")
        case .uriTooLong: Row(name: "uri_too_long", status: 414, proxyStatus: "http_request_error", title: "The request target is too long")
        case .headersTooLarge: Row(name: "headers_too_large", status: 431, proxyStatus: "http_request_error", title: "The request head is too large")
        case .unsupportedVersion: Row(name: "unsupported_version", status: 505, proxyStatus: "http_request_error", title: "This HTTP version is not supported")
        case .unsupportedCoding: Row(name: "unsupported_coding", status: 501, proxyStatus: "http_request_error", title: "This transfer coding is not supported")
        case .expectationFailed: Row(name: "expectation_failed", status: 417, proxyStatus: "http_request_error", title: "The expectation cannot be met")
        case .requestTimeout: Row(name: "request_timeout", status: 408, proxyStatus: "http_request_error", title: "The request head did not arrive in time")
        case .bodyTimeout: Row(name: "request_body_timeout", status: 408, proxyStatus: "http_request_error", title: "The request body did not arrive in time")
        case .bodyTooLarge: Row(name: "body_too_large", status: 413, proxyStatus: "http_request_denied", title: "The request body is too large")
        case .methodNotSupported: Row(name: "method_not_supported", status: 405, proxyStatus: "http_request_denied", title: "This method is not served here")
        case .pathRefused: Row(name: "path_refused", status: 400, proxyStatus: "http_request_error", title: "The path is ambiguous or not valid")
        case .trailersTooLarge: Row(name: "trailers_too_large", status: 431, proxyStatus: "http_request_error", title: "The trailer section is too large")
        case .noRoute: Row(name: "no_route", status: 404, proxyStatus: "http_request_denied", title: "No route matches the request")
        case .methodNotAllowed: Row(name: "method_not_allowed", status: 405, proxyStatus: "http_request_denied", title: "No route serves this method here")
        case .unauthorized: Row(name: "unauthorized", status: 401, proxyStatus: "http_request_denied", title: "Credentials are missing or not valid")
        case .forbidden: Row(name: "forbidden", status: 403, proxyStatus: "http_request_denied", title: "Access is denied")
        case .rateLimited: Row(name: "rate_limited", status: 429, proxyStatus: "http_request_denied", title: "Too many requests")
        case .misdirected: Row(name: "misdirected", status: 421, proxyStatus: "http_request_denied", title: "The request came to the wrong server")
        case .upgradeRefused: Row(name: "upgrade_refused", status: 400, proxyStatus: "http_request_error", title: "The upgrade request is not valid")
        case .connectionRefused: Row(name: "connection_refused", status: 502, proxyStatus: "connection_refused", title: "The upstream refused the connection")
        case .connectionTimeout: Row(name: "connection_timeout", status: 504, proxyStatus: "connection_timeout", title: "The upstream could not be reached in time")
        case .connectionTerminated: Row(name: "connection_terminated", status: 502, proxyStatus: "connection_terminated", title: "The upstream closed the connection")
        case .connectionReset: Row(name: "connection_reset", status: 502, proxyStatus: "connection_terminated", title: "The upstream reset the connection")
        case .connectionLimitReached: Row(name: "connection_limit_reached", status: 503, proxyStatus: "connection_limit_reached", title: "Too many requests are waiting for the upstream")
        case .queueTimeout: Row(name: "queue_timeout", status: 503, proxyStatus: "connection_limit_reached", title: "No upstream connection became free in time")
        case .responseTimeout: Row(name: "response_timeout", status: 504, proxyStatus: "http_response_timeout", title: "The upstream did not answer in time")
        case .responseIncomplete: Row(name: "response_incomplete", status: 502, proxyStatus: "http_response_incomplete", title: "The upstream's answer is incomplete")
        case .responseInvalid: Row(name: "response_invalid", status: 502, proxyStatus: "http_protocol_error", title: "The upstream's answer is not valid HTTP")
        case .responseHeadersTooLarge: Row(name: "response_headers_too_large", status: 502, proxyStatus: "http_response_header_section_size", title: "The upstream's answer has a too large head")
        case .responseBodyTimeout: Row(name: "response_body_timeout", status: 504, proxyStatus: "connection_read_timeout", title: "The upstream stopped in the middle of its answer")
        case .upgradeFailed: Row(name: "upgrade_failed", status: 502, proxyStatus: "http_upgrade_failed", title: "The upstream did not switch protocols as asked")
        case .noEndpoint: Row(name: "no_endpoint", status: 503, proxyStatus: "destination_unavailable", title: "No endpoint of the upstream is usable")
        case .dnsError: Row(name: "dns_error", status: 502, proxyStatus: "dns_error", title: "The upstream's name could not be resolved")
        case .totalTimeout: Row(name: "total_timeout", status: 504, proxyStatus: "http_response_timeout", title: "The exchange took too long")
        case .tooManyInterim: Row(name: "too_many_interim_responses", status: 502, proxyStatus: "http_protocol_error", title: "The upstream sent too many interim responses")
        case .overloaded: Row(name: "overloaded", status: 503, proxyStatus: "connection_limit_reached", title: "The gateway is at its limit")
        case .middlewareFailed: Row(name: "middleware_failed", status: 503, proxyStatus: "proxy_internal_error", title: "A policy could not decide on the request")
        case .middlewareTimeout: Row(name: "middleware_timeout", status: 503, proxyStatus: "proxy_internal_error", title: "A policy did not decide in time")
        case .loopDetected: Row(name: "loop_detected", status: 508, proxyStatus: "proxy_loop_detected", title: "The request passed this gateway too often")
        case .draining: Row(name: "draining", status: 503, proxyStatus: "destination_unavailable", title: "The gateway is shutting down")
        case .internalError: Row(name: "internal_error", status: 500, proxyStatus: "proxy_internal_error", title: "The gateway failed")
        case .clientClosed: Row(name: "client_closed", status: 499, proxyStatus: "", title: "The client went away")
        case .writeTimeout: Row(name: "write_timeout", status: 0, proxyStatus: "connection_write_timeout", title: "The client stopped reading")
        case .idleTimeout: Row(name: "idle_timeout", status: 0, proxyStatus: "", title: "The connection was idle for too long")
        case .messageTooBig: Row(name: "message_too_big", status: 0, proxyStatus: "", title: "A WebSocket message was larger than allowed")
        }
    }
}
