import Containers
import EventLoop
import HTTP
import Middleware

/// `redirect_to_https`: a listener without TLS that serves nothing itself.
extension Worker where Driver: ~Copyable {
    /// Sends the client to https under the same host, with path and query as they came. What a trusted proxy took over TLS is
    /// served: it would go in circles otherwise.
    ///
    /// - Returns: false when the request is not to be redirected.
    @inline(never)
    mutating func redirectsToHTTPS(_ exchange: SlabKey, port: Int) -> Bool {
        guard !request.isSecure else { return false }
        guard !request.host.isEmpty else {
            // HTTP/1.0 without Host: there is no name to go to.
            reply(exchange, .badRequest)
            return true
        }
        var location = driver.buffers.take(.message)
        let fits = RequestSteps.appendHTTPS(to: &location, request, port: port)
        let text = fits ? RequestSteps.text(location) : ""
        driver.buffers.give(location)
        guard fits else {
            reply(exchange, .uriTooLong)
            return true
        }
        // 308 keeps method and content (RFC 9110 section 15.4.9); for the two without content older clients know 301 too.
        let isPlain = request.head.method == .get || request.head.method == .head
        var answer = LocalReply(status: isPlain ? 301 : 308)
        answer.headers.append((name: "Location", value: text))
        sendReply(exchange, answer)
        return true
    }
}

extension RequestSteps {
    /// Bytes of a `Location` for which there is room among our own lines.
    private static var longestLocation: Int { FieldAdditions.limit - 1_024 }

    /// The URL of a request at https. The bytes of a target are those of a URL: none of them ends a line. False: it is too long.
    static func appendHTTPS(to output: inout Buffer, _ request: borrowing RequestContext, port: Int) -> Bool {
        let isAsterisk = request.head.form == .asterisk
        let target = isAsterisk ? 0 : request.head.path.range.count + (request.head.query?.range.count ?? 0)
        let count = request.host.count + target + 32
        guard count <= longestLocation, output.tailroom >= count else { return false }
        output.append("https://")
        output.append(request.host)
        if port != 443 {
            output.append(":")
            output.append(decimal: port)
        }
        guard target > 0 else {
            output.append("/")
            return true
        }
        if request.head.path.isEmpty { output.append("/") }
        output.append(request.bytes, request.head.path.range)
        if let query = request.head.query {
            output.append("?")
            output.append(request.bytes, query.range)
        }
        return true
    }
}
