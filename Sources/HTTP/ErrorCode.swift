/// Why the gateway answered itself, or why an exchange failed: one name for the error body, `Proxy-Status`, the access
/// log and metrics, and the one place for its status and wording.
package enum ErrorCode: UInt8, Sendable, CaseIterable {
    case none
    // The request.
    case badRequest, uriTooLong, headersTooLarge, unsupportedVersion, unsupportedCoding, expectationFailed
    case requestTimeout, bodyTimeout, bodyTooSlow, bodyTooLarge, methodNotSupported, pathRefused, trailersTooLarge
    // Policy.
    case noRoute, methodNotAllowed, unauthorized, forbidden, rateLimited, misdirected
    case upgradeRefused
    // The upstream.
    case connectionRefused, connectionTimeout, connectionTerminated, connectionReset, connectionLimitReached,
        queueTimeout
    case responseTimeout, responseIncomplete, responseInvalid, responseHeadersTooLarge, responseBodyTimeout
    case upgradeFailed, noEndpoint, dnsError, totalTimeout, tooManyInterim
    case tlsFailed, certificateInvalid
    // The gateway.
    case overloaded, memoryLimitReached, middlewareFailed, middlewareTimeout, loopDetected, draining, internalError
    // Only in logs: nobody was there to be answered.
    case clientClosed, writeTimeout, readTooSlow, idleTimeout, messageTooBig

    package struct Row: Sendable {
        /// In bodies, logs and metrics.
        package let name: StaticString
        /// 0: never answered.
        package let status: Int
        /// Error type of RFC 9209 section 2.3, empty when `Proxy-Status` names the generic one.
        package let proxyStatus: StaticString
        package let title: StaticString

        init(_ name: StaticString, _ status: Int, _ proxyStatus: StaticString, _ title: StaticString) {
            self.name = name
            self.status = status
            self.proxyStatus = proxyStatus
            self.title = title
        }
    }

    package var row: Row {
        switch self {
        case .none:
            Row("", 0, "", "")
        case .badRequest:
            Row("bad_request", 400, "http_request_error", "The request is not valid HTTP")
        case .uriTooLong:
            Row("uri_too_long", 414, "http_request_error", "The request target is too long")
        case .headersTooLarge:
            Row("headers_too_large", 431, "http_request_error", "The request head is too large")
        case .unsupportedVersion:
            Row("unsupported_version", 505, "http_request_error", "This HTTP version is not supported")
        case .unsupportedCoding:
            Row("unsupported_coding", 501, "http_request_error", "This transfer coding is not supported")
        case .expectationFailed:
            Row("expectation_failed", 417, "http_request_error", "The expectation cannot be met")
        case .requestTimeout:
            Row("request_timeout", 408, "http_request_error", "The request head did not arrive in time")
        case .bodyTimeout:
            Row("request_body_timeout", 408, "http_request_error", "The request body did not arrive in time")
        case .bodyTooSlow:
            Row("request_body_too_slow", 408, "http_request_error", "The request body came too slowly")
        case .bodyTooLarge:
            Row("body_too_large", 413, "http_request_denied", "The request body is too large")
        case .methodNotSupported:
            Row("method_not_supported", 405, "http_request_denied", "This method is not served here")
        case .pathRefused:
            Row("path_refused", 400, "http_request_error", "The path is ambiguous or not valid")
        case .trailersTooLarge:
            Row("trailers_too_large", 431, "http_request_error", "The trailer section is too large")
        case .noRoute:
            Row("no_route", 404, "http_request_denied", "No route matches the request")
        case .methodNotAllowed:
            Row("method_not_allowed", 405, "http_request_denied", "No route serves this method here")
        case .unauthorized:
            Row("unauthorized", 401, "http_request_denied", "Credentials are missing or not valid")
        case .forbidden:
            Row("forbidden", 403, "http_request_denied", "Access is denied")
        case .rateLimited:
            Row("rate_limited", 429, "http_request_denied", "Too many requests")
        case .misdirected:
            Row("misdirected", 421, "http_request_denied", "The request came to the wrong server")
        case .upgradeRefused:
            Row("upgrade_refused", 400, "http_request_error", "The upgrade request is not valid")
        case .connectionRefused:
            Row("connection_refused", 502, "connection_refused", "The upstream refused the connection")
        case .connectionTimeout:
            Row("connection_timeout", 504, "connection_timeout", "The upstream could not be reached in time")
        case .connectionTerminated:
            Row("connection_terminated", 502, "connection_terminated", "The upstream closed the connection")
        case .connectionReset:
            Row("connection_reset", 502, "connection_terminated", "The upstream reset the connection")
        case .connectionLimitReached:
            Row(
                "connection_limit_reached", 503, "connection_limit_reached",
                "Too many requests are waiting for the upstream")
        case .queueTimeout:
            Row("queue_timeout", 503, "connection_limit_reached", "No upstream connection became free in time")
        case .responseTimeout:
            Row("response_timeout", 504, "http_response_timeout", "The upstream did not answer in time")
        case .responseIncomplete:
            Row("response_incomplete", 502, "http_response_incomplete", "The upstream's answer is incomplete")
        case .responseInvalid:
            Row("response_invalid", 502, "http_protocol_error", "The upstream's answer is not valid HTTP")
        case .responseHeadersTooLarge:
            Row(
                "response_headers_too_large", 502, "http_response_header_section_size",
                "The upstream's answer has a too large head")
        case .responseBodyTimeout:
            Row(
                "response_body_timeout", 504, "connection_read_timeout",
                "The upstream stopped in the middle of its answer")
        case .upgradeFailed:
            Row("upgrade_failed", 502, "http_upgrade_failed", "The upstream did not switch protocols as asked")
        case .noEndpoint:
            Row("no_endpoint", 503, "destination_unavailable", "No endpoint of the upstream is usable")
        case .dnsError:
            Row("dns_error", 502, "dns_error", "The upstream's name could not be resolved")
        case .totalTimeout:
            Row("total_timeout", 504, "http_response_timeout", "The exchange took too long")
        case .tooManyInterim:
            Row(
                "too_many_interim_responses", 502, "http_protocol_error", "The upstream sent too many interim responses"
            )
        case .tlsFailed:
            Row("tls_failed", 502, "tls_protocol_error", "The TLS handshake with the upstream failed")
        case .certificateInvalid:
            Row("certificate_invalid", 502, "tls_certificate_error", "The upstream's certificate is not accepted")
        case .overloaded:
            Row("overloaded", 503, "connection_limit_reached", "The gateway is at its limit")
        case .memoryLimitReached:
            Row("memory_limit_reached", 503, "connection_limit_reached", "The gateway holds as much as it may")
        case .middlewareFailed:
            Row("middleware_failed", 503, "proxy_internal_error", "A policy could not decide on the request")
        case .middlewareTimeout:
            Row("middleware_timeout", 503, "proxy_internal_error", "A policy did not decide in time")
        case .loopDetected:
            Row("loop_detected", 508, "proxy_loop_detected", "The request passed this gateway too often")
        case .draining:
            Row("draining", 503, "destination_unavailable", "The gateway is shutting down")
        case .internalError:
            Row("internal_error", 500, "proxy_internal_error", "The gateway failed")
        case .clientClosed:
            Row("client_closed", 499, "", "The client went away")
        case .writeTimeout:
            Row("write_timeout", 0, "connection_write_timeout", "The client stopped reading")
        case .readTooSlow:
            Row("read_too_slow", 0, "connection_write_timeout", "The client read too slowly")
        case .idleTimeout:
            Row("idle_timeout", 0, "", "The connection was idle for too long")
        case .messageTooBig:
            Row("message_too_big", 0, "", "A WebSocket message was larger than allowed")
        }
    }

    /// Seconds after which the client may try again, for the `Retry-After` of a 503 (RFC 9110 section 10.2.3); nil for other
    /// statuses. Short where a place may become free with the next answer, longer where somebody has to come back.
    package var retryAfter: Int? {
        switch self {
        case .connectionLimitReached, .queueTimeout, .overloaded, .memoryLimitReached, .middlewareTimeout: 1
        case .noEndpoint, .draining, .middlewareFailed: 5
        default: nil
        }
    }
}
