/// Field names that the gateway itself has to know. `other` is every other name.
///
/// Recognised once, in the parser; what follows compares a byte instead of a name.
@usableFromInline
package enum KnownField: UInt8, Sendable, CaseIterable {
    case other
    // Framing and connection (never forwarded as received).
    case host, connection, contentLength, transferEncoding, te, trailer, upgrade, keepAlive, proxyConnection,
        http2Settings
    case expect, maxForwards
    // Forwarding (removed from untrusted peers and set anew).
    case forwarded, xForwardedFor, xForwardedProto, xForwardedHost, xForwardedPort, xForwardedPrefix, xForwardedOther
    case xRealIP, xClientIP, trueClientIP, cfConnectingIP, xOriginalURL, xRewriteURL, xOriginalMethod, xEnvoy, proxy
    case via, xRequestID, traceparent
    // What a gateway says of the client's certificate (RFC 9440).
    case clientCert, clientCertChain
    // Authentication.
    case authorization, proxyAuthorization, proxyAuthenticate, wwwAuthenticate, cookie, setCookie
    // WebSocket.
    case secWebSocketKey, secWebSocketVersion, secWebSocketAccept, secWebSocketProtocol, secWebSocketExtensions
    // Read by policies and logs.
    case accept, userAgent, referer, origin, contentType, date, server, location, retryAfter, cacheControl, vary
    case accessControlRequestMethod, accessControlRequestHeaders, proxyStatus
}
