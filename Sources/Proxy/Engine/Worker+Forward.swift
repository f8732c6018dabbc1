import Containers
import EventLoop
import HTTP
import HTTP1
import Middleware
import Net
import Upstream

/// The request's head for the upstream: rewritten path, forwarding fields, our own normal form.
extension Worker where Driver: ~Copyable {
    mutating func forward(_ exchange: SlabKey, _ route: RouteState, upstream number: Int) {
        guard exchanges[exchange].accept(bodyLimit: request.bodyLimit) else {
            reply(exchange, .bodyTooLarge)
            return
        }
        if let rewrite = route.rewrite, !rewritePath(rewrite, exchange) {
            reply(exchange, .pathRefused)
            return
        }
        exchanges[exchange].pool = snapshots[exchanges[exchange].snapshot].pools[number]
        let origin = downstreams[exchanges[exchange].downstream].origin
        guard forwarding.write(&request, from: origin) else {
            reply(exchange, .headersTooLarge)
            return
        }
        if forwarding.bindsConnection { exchanges[exchange].bindsConnection = true }
        if request.head.isHTTP2, request.head.isWebSocketHandshake { addWebSocketKey(exchange) }
        if let key = route.balanceKey {
            var bytes = driver.buffers.take(.message)
            key.append(to: &bytes, request)
            exchanges[exchange].balanceKey = hashKey(bytes)
            driver.buffers.give(bytes)
        }
        guard encodeUpstreamHead(exchange, route) else {
            reply(exchange, .headersTooLarge)
            return
        }
        if route.totalTimeout != .max {
            exchanges[exchange].totalDeadline = exchanges[exchange].startedAt.advanced(by: route.totalTimeout)
        }
        connectExchange(exchange)
    }

    /// Replaces the path; the result must be in its one form again. `request.path` holds it from here on.
    private mutating func rewritePath(_ rewrite: RouteState.Rewrite, _ exchange: SlabKey) -> Bool {
        var path = driver.buffers.take(.message)
        var scratch = driver.buffers.take(.message)
        let rules = downstreams[exchanges[exchange].downstream].listener.pathRules
        var isGood = true
        switch rewrite {
        case .path(let template):
            isGood = template.append(to: &path, request)
        case .addPrefix(let prefix):
            isGood = prefix.count + request.path.count <= path.tailroom
            if isGood {
                path.append(prefix)
                path.append(request.path)
            }
        case .stripPrefix(let prefix):
            RequestSteps.appendWithoutPrefix(prefix, of: request.path, to: &path)
        }
        isGood =
            isGood && path.count <= RequestContext.pathLimit
            && RequestSteps.isCanonical(path, rules: rules, scratch: &scratch)
        if isGood {
            request.path.clear()
            request.path.append(path)
        }
        driver.buffers.give(path)
        driver.buffers.give(scratch)
        return isGood
    }

    private func hashKey(_ bytes: borrowing Buffer) -> UInt64 { context.hash.hash(bytes.span) }

    private mutating func encodeUpstreamHead(_ exchange: SlabKey, _ route: RouteState) -> Bool {
        let query = request.head.query.map { Int($0.count) } ?? 0
        let room = request.head.byteCount + request.path.count + query + request.additions.span.count + 512
        var out = driver.buffers.take(atLeast: room)
        let isEncoded = RequestSteps.encode(
            to: &out, request.head, request.bytes, path: request.path, host: route.host, additions: request.additions)
        guard isEncoded else {
            driver.buffers.give(out)
            return false
        }
        exchanges[exchange].upstreamHead = consume out
        return true
    }
}

/// Prefixes of paths on segment borders.
enum PathPrefix {
    static func matches(_ path: Span<UInt8>, _ prefix: Span<UInt8>) -> Bool {
        guard path.count >= prefix.count, ByteClass.equals(path.extracting(0..<prefix.count), prefix) else {
            return false
        }
        return path.count == prefix.count || path[prefix.count] == 0x2F
    }
}
