/// Which names may stand in a forwarded trailer section (RFC 9110 section 6.5.1): none that frames, routes,
/// authenticates, carries state or says how content is coded.
package enum TrailerFields {
    package static func mayBeForwarded(_ known: KnownField, _ name: Span<UInt8>) -> Bool {
        switch known {
        case .other: !isContentControl(name)
        case .via, .xRequestID, .traceparent, .server, .proxyStatus, .date: true
        case .host, .connection, .contentLength, .transferEncoding, .te, .trailer, .upgrade, .keepAlive,
            .proxyConnection, .http2Settings, .expect, .maxForwards, .forwarded, .xForwardedFor, .xForwardedProto,
            .xForwardedHost, .xForwardedPort, .xForwardedPrefix, .xForwardedOther, .xRealIP, .xClientIP, .trueClientIP,
            .cfConnectingIP, .xOriginalURL, .xRewriteURL, .xOriginalMethod, .xEnvoy, .proxy, .clientCert,
            .clientCertChain,
            .authorization,
            .proxyAuthorization, .proxyAuthenticate, .wwwAuthenticate, .cookie, .setCookie, .secWebSocketKey,
            .secWebSocketVersion, .secWebSocketAccept, .secWebSocketProtocol, .secWebSocketExtensions, .accept,
            .userAgent, .referer, .origin, .contentType, .location, .retryAfter, .cacheControl, .vary,
            .accessControlRequestMethod, .accessControlRequestHeaders:
            false
        }
    }

    /// `Content-Encoding`, `Content-Range`, `Range` and `Pragma`.
    private static func isContentControl(_ name: Span<UInt8>) -> Bool {
        switch PackedToken(name) {
        case .contentEncoding, .contentRange, .range, .pragma: true
        default: false
        }
    }
}
