import Containers
import HTTP
import HTTP1
import Middleware
import Net

/// The fields that say whose request this is and which way it came: X-Forwarded-*, X-Real-IP, Forwarded, Via, X-Request-Id,
/// Client-Cert.
///
/// From a peer that is not trusted all of them are removed, in every spelling that the parser recognises, and set anew. A
/// trusted peer's are kept and continued.
struct ForwardingWriter {
    /// Times that a request may have passed a Martlet before it counts as a loop.
    static let loopLimit = 8

    private let isTrusted: Bool
    private var hasProto = false
    private var hasHost = false
    private var hasPort = false
    private var isSecure = false
    /// Of an OPTIONS request.
    private(set) var maxForwards = MaxForwards.unlimited
    /// The request has credentials that its upstream connection keeps.
    private(set) var bindsConnection = false

    /// A pattern, not `!=`: that is a call into another module.
    var countsHops: Bool {
        if case .unlimited = maxForwards { false } else { true }
    }

    init(isTrusted: Bool) {
        self.isTrusted = isTrusted
    }

    /// Marks what is not forwarded. Returns how often the request has passed a Martlet already (RFC 9110 section 7.6.3).
    mutating func scan(_ request: inout RequestContext) -> Int {
        var passes = 0
        for index in 0..<request.head.fields.count {
            switch request.head.fields[index].known {
            case .forwarded, .xForwardedPrefix, .xForwardedOther, .xClientIP, .trueClientIP, .cfConnectingIP,
                .xOriginalURL, .xRewriteURL, .xOriginalMethod, .xEnvoy, .clientCert, .clientCertChain:
                if !isTrusted { request.head.fields[index].isRemoved = true }
            case .proxy, .xRequestID:
                // `Proxy` becomes HTTP_PROXY in CGI services; the id is written anew in any case.
                request.head.fields[index].isRemoved = true
            case .xForwardedFor, .xRealIP:
                // Written anew: the list goes on, the client is whom it names.
                request.head.fields[index].isRemoved = true
            case .xForwardedProto:
                if isTrusted {
                    hasProto = true
                    isSecure = Self.isHTTPS(request.bytes, request.head.fields[index].value)
                    request.isSecure = isSecure
                } else {
                    request.head.fields[index].isRemoved = true
                }
            case .xForwardedHost:
                if isTrusted { hasHost = true } else { request.head.fields[index].isRemoved = true }
            case .xForwardedPort:
                if isTrusted { hasPort = true } else { request.head.fields[index].isRemoved = true }
            case .maxForwards:
                // Only OPTIONS and TRACE count hops, and TRACE is not served.
                if request.head.method == .options {
                    let value = request.head.fields[index].value
                    maxForwards = maxForwards.noting(request.bytes.span.extracting(value.range))
                    request.head.fields[index].isRemoved = true
                }
            case .authorization:
                let value = request.head.fields[index].value
                if ConnectionBoundCredentials.isMember(request.bytes.span.extracting(value.range)) {
                    bindsConnection = true
                }
            case .via:
                passes &+= ByteSearch.countPseudonym(
                    in: request.bytes.span.extracting(request.head.fields[index].value.range))
            default:
                break
            }
        }
        return passes
    }

    /// Appends our own lines for a request of a connection, whose other end (or whom its PROXY header names) is not always the
    /// client itself. False: there is no room for all of them, since middleware or trusted proxies said so much.
    func write(_ request: inout RequestContext, from origin: DownstreamOrigin) -> Bool {
        write(
            to: &request.additions, request.head, request.bytes, id: request.requestID, client: request.client, origin)
    }

    private func write(
        to additions: inout FieldAdditions, _ head: borrowing RequestHead, _ bytes: borrowing Buffer,
        id: borrowing Buffer, client: IPAddress, _ origin: DownstreamOrigin
    ) -> Bool {
        guard additions.tailroom >= 1_024 else { return false }
        if isTrusted, additions.tailroom < 1_024 &+ Self.chainCount(head) { return false }
        additions.appendLines { lines in
            if origin.client.isUnspecified {
                writeUnnamed(&lines, head, bytes.span, client: client)
            } else {
                // RFC 9110 section 7.6.3: the version in which the request came. One piece: two are dearer.
                if head.minorVersion == 0 {
                    lines.append("Via: 1.0 martlet\r\nX-Forwarded-For: ")
                } else if head.isHTTP2 {
                    lines.append("Via: 2.0 martlet\r\nX-Forwarded-For: ")
                } else {
                    lines.append("Via: 1.1 martlet\r\nX-Forwarded-For: ")
                }
                if isTrusted { appendChain(&lines, head, bytes.span) }
                lines.append(origin.text.bytes.span.extracting(0..<origin.text.count))
                lines.append("\r\nX-Real-IP: ")
                if client == origin.client {
                    lines.append(origin.text.bytes.span.extracting(0..<origin.text.count))
                } else {
                    Self.append(client, to: &lines)
                }
            }
            if !hasProto {
                if origin.isSecure {
                    lines.append("\r\nX-Forwarded-Proto: https")
                } else {
                    lines.append("\r\nX-Forwarded-Proto: http")
                }
            }
            if !hasHost, head.authority.count > 0, head.authority.count <= 512 {
                lines.append("\r\nX-Forwarded-Host: ")
                lines.append(bytes, head.authority.range)
            }
            // Where somebody else ended the TLS, the port here is not the one that was asked for: nothing is better than a guess.
            if !hasPort, origin.localPort > 0, !isSecure || origin.isSecure {
                lines.append("\r\nX-Forwarded-Port: ")
                lines.append(decimal: Int(origin.localPort))
            }
            if case .hops(let hops) = maxForwards {
                lines.append("\r\nMax-Forwards: ")
                lines.append(decimal: hops &- 1)
            }
            lines.append("\r\nX-Request-Id: ")
            lines.append(id)
            lines.append("\r\n")
        }
        return true
    }

    /// Bytes of what `appendChain` appends.
    @inline(never)
    private static func chainCount(_ head: borrowing RequestHead) -> Int {
        var count = 0
        for index in 0..<head.fields.count where head.fields[index].known == .xForwardedFor {
            count &+= Int(head.fields[index].value.count) &+ 2
        }
        return count
    }

    /// The peer of a Unix socket has no address to add: the list ends with what trusted proxies said, and nobody is named where
    /// they said nothing. The last line is left open.
    @inline(never)
    private func writeUnnamed(
        _ lines: inout Buffer, _ head: borrowing RequestHead, _ bytes: Span<UInt8>, client: IPAddress
    ) {
        lines.append(
            head.isHTTP2 ? "Via: 2.0 martlet" : head.minorVersion == 0 ? "Via: 1.0 martlet" : "Via: 1.1 martlet")
        let start = lines.count
        lines.append("\r\nX-Forwarded-For: ")
        let empty = lines.count
        if isTrusted { appendChain(&lines, head, bytes) }
        // Without the last comma and blank; without the field when nobody said anything.
        lines.keepFirst(lines.count > empty ? lines.count &- 2 : start)
        guard !client.isUnspecified else { return }
        lines.append("\r\nX-Real-IP: ")
        Self.append(client, to: &lines)
    }

    private static func isHTTPS(_ bytes: borrowing Buffer, _ range: ByteRange) -> Bool {
        let https: InlineArray<5, UInt8> = [0x68, 0x74, 0x74, 0x70, 0x73]
        return ByteClass.equalsIgnoringCase(bytes.span.extracting(range.range), https.span)
    }

    private static func append(_ address: IPAddress, to lines: inout Buffer) {
        address.write { lines.append($0) }
    }

    /// What trusted proxies before us said, in order and in one list.
    private func appendChain(_ lines: inout Buffer, _ head: borrowing RequestHead, _ bytes: Span<UInt8>) {
        for index in 0..<head.fields.count where head.fields[index].known == .xForwardedFor {
            let value = head.fields[index].value
            guard value.count > 0 else { continue }
            lines.append(bytes.extracting(value.range))
            lines.append(", ")
        }
    }
}
