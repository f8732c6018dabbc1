import Config
import Containers
import HTTP
import HTTP1
import Middleware
import Net
import Routing

/// Steps on parts of a request. Free functions, because a span taken from one part of the worker would borrow all of it.
enum RequestSteps {
    /// The host that routes: of the target or the Host field, in its one form. False: it is not valid.
    static func fillHost(_ host: inout Buffer, _ head: borrowing RequestHead, _ bytes: borrowing Buffer) -> Bool {
        if head.authority.isEmpty { return true }
        return CanonicalHost.append(bytes.span.extracting(head.authority.range), to: &host)
    }

    /// Whether bytes that are no valid request begin as one for HEAD.
    static func isHead(_ bytes: borrowing Buffer) -> Bool {
        let start: InlineArray<5, UInt8> = [0x48, 0x45, 0x41, 0x44, 0x20]
        return bytes.count >= start.count && ByteClass.equals(bytes.span.extracting(0..<start.count), start.span)
    }

    /// The path that routes, in its one form. False: it is refused.
    static func fillPath(
        _ path: inout Buffer, _ head: borrowing RequestHead, _ bytes: borrowing Buffer, rules: CanonicalPath.Rules
    ) -> Bool {
        if head.form == .asterisk {
            path.append(0x2A)
            return true
        }
        if head.path.isEmpty {
            path.append(0x2F)
            return true
        }
        return CanonicalPath.append(bytes.span.extracting(head.path.range), rules: rules, to: &path) == nil
    }

    static func match(
        _ router: Router, host: borrowing Buffer, path: borrowing Buffer, head: borrowing RequestHead,
        bytes: borrowing Buffer, parameters: inout FixedArray<ByteRange>
    ) -> RouteMatch {
        let span = bytes.span
        return router.match(
            host: host.span, path: path.span, method: head.method, methodBytes: span.extracting(head.methodRange.range),
            query: span.extracting(head.query?.range ?? 0..<0), head: head, bytes: span, parameters: &parameters)
    }

    /// The method that a preflight asks for (Fetch Standard, section 3.2.2); nil: the request is none.
    static func preflightMethod(_ head: borrowing RequestHead) -> ByteRange? {
        var method: ByteRange?
        var hasOrigin = false
        for index in 0..<head.fields.count where !head.fields[index].isRemoved {
            switch head.fields[index].known {
            case .origin: hasOrigin = true
            case .accessControlRequestMethod: if method == nil { method = head.fields[index].value }
            default: break
            }
        }
        return hasOrigin ? method : nil
    }

    /// The route of the request that a preflight announces.
    static func match(
        _ router: Router, preflightFor method: ByteRange, host: borrowing Buffer, path: borrowing Buffer,
        head: borrowing RequestHead, bytes: borrowing Buffer, parameters: inout FixedArray<ByteRange>
    ) -> RouteMatch {
        let span = bytes.span
        let name = span.extracting(method.range)
        return router.match(
            host: host.span, path: path.span, method: Method.recognise(name), methodBytes: name,
            query: span.extracting(head.query?.range ?? 0..<0), head: head, bytes: span, parameters: &parameters)
    }

    /// Whether a text is not the one that stands at a place of the head's buffer.
    static func differs(_ text: borrowing Buffer, _ bytes: borrowing Buffer, _ place: ByteRange) -> Bool {
        !ByteClass.equals(text.span, bytes.span.extracting(place.range))
    }

    /// Whether the content is of gRPC.
    static func isGRPC(_ head: borrowing RequestHead, _ bytes: borrowing Buffer) -> Bool {
        for index in 0..<head.fields.count where head.fields[index].known == .contentType {
            return EndlessContent.isGRPC(bytes.span.extracting(head.fields[index].value.range))
        }
        return false
    }

    static func allowedMethods(_ router: Router, host: borrowing Buffer, path: borrowing Buffer) -> String {
        router.allowedMethods(host: host.span, path: path.span).joined(separator: ", ")
    }

    /// A trusted peer's request id; false when there is none that can be kept.
    static func keepRequestID(_ id: inout Buffer, _ head: borrowing RequestHead, _ bytes: borrowing Buffer) -> Bool {
        for index in 0..<head.fields.count where head.fields[index].known == .xRequestID {
            let value = head.fields[index].value
            guard value.count > 0, value.count <= RequestContext.requestIDLimit else { return false }
            id.append(bytes, value.range)
            return true
        }
        return false
    }

    /// The handshake's key, which the parser found to be 24 bytes of base64.
    static func webSocketKey(_ head: borrowing RequestHead, _ bytes: borrowing Buffer) -> InlineArray<24, UInt8>? {
        for index in 0..<head.fields.count where head.fields[index].known == .secWebSocketKey {
            let value = head.fields[index].value
            guard value.count == 24 else { return nil }
            return InlineArray { bytes[value.lower &+ $0] }
        }
        return nil
    }

    static func client(
        _ head: borrowing RequestHead, _ bytes: borrowing Buffer, peer: IPAddress, snapshot: Snapshot
    ) -> IPAddress {
        ForwardedClient.client(fields: head, bytes: bytes.span, peer: peer) { snapshot.isTrusted($0) }
    }

    /// Writes the head for the upstream. An endpoint's own host takes its place later.
    static func encode(
        to out: inout Buffer, _ head: borrowing RequestHead, _ bytes: borrowing Buffer, path: borrowing Buffer,
        host: RouteState.Host, additions: borrowing FieldAdditions
    ) -> Bool {
        let span = bytes.span
        switch host {
        case .pass:
            return encode(to: &out, head, span, path, host: span.extracting(head.authority.range), additions)
        case .name(let name):
            return encode(to: &out, head, span, path, host: name.span, additions)
        case .endpoint:
            let placeholder: InlineArray<1, UInt8> = [0x2D]
            return encode(to: &out, head, span, path, host: placeholder.span, additions)
        }
    }

    private static func encode(
        to out: inout Buffer, _ head: borrowing RequestHead, _ bytes: Span<UInt8>, _ path: borrowing Buffer,
        host: Span<UInt8>, _ additions: borrowing FieldAdditions
    ) -> Bool {
        (try? RequestEncoder.append(
            to: &out, bytes: bytes, head: head, path: path.span, host: host, additions: additions.span,
            framing: head.framing, upgrade: head.isWebSocketHandshake, sendExpect: head.expectsContinue,
            acceptsTrailers: head.acceptsTrailers, checksAdditions: false)) ?? false
    }

    /// Whether a rewritten path is in its one form already, so that it cannot mean something else to the upstream.
    static func isCanonical(_ path: borrowing Buffer, rules: CanonicalPath.Rules, scratch: inout Buffer) -> Bool {
        CanonicalPath.append(path.span, rules: rules, to: &scratch) == nil && ByteClass.equals(path.span, scratch.span)
    }

    /// Appends the path without a prefix that ends on a segment border; the path itself when it does not begin with it.
    static func appendWithoutPrefix(_ prefix: [UInt8], of path: borrowing Buffer, to out: inout Buffer) {
        let span = path.span
        guard PathPrefix.matches(span, prefix.span) else {
            out.append(span)
            return
        }
        if span.count == prefix.count {
            out.append(0x2F)
        } else {
            out.append(span.extracting(prefix.count..<span.count))
        }
    }

    static func text(_ bytes: borrowing Buffer) -> String {
        var copy: [UInt8] = []
        copy.reserveCapacity(bytes.count)
        for index in 0..<bytes.count { copy.append(bytes[index]) }
        return String(decoding: copy, as: UTF8.self)
    }
}
