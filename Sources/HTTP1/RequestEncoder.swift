package import Containers
package import HTTP

/// Writes request heads for upstreams in the forwarding normal form: `METHOD SP path[?query] SP HTTP/1.1`, Host, the
/// remaining fields, the additions, exactly one framing field.
package enum RequestEncoder {
    /// Tailroom with which `append` surely succeeds.
    package static func bytesNeeded(
        head: borrowing RequestHead, path: Span<UInt8>, host: Span<UInt8>, additions: Span<UInt8>
    ) -> Int {
        head.byteCount &+ head.fields.count &+ path.count &+ host.count &+ additions.count &+ HeadWriter.fixedBytes
    }

    /// Appends the head to `buffer`. False, and nothing appended, when `bytesNeeded` is more than the tailroom.
    ///
    /// - Parameters:
    ///   - bytes: what `head` was parsed from; method, query and field lines are taken from it.
    ///   - path: what stands before the query; empty means `*` for the asterisk form and `/` for the others.
    ///   - additions: whole lines, `Name: value CRLF` each.
    ///   - framing: of the body that will follow; never `untilClose`.
    ///   - upgrade: asks for a WebSocket (RFC 6455 section 4.1); the Sec-WebSocket fields are among the lines.
    ///   - sendExpect: writes `Expect: 100-continue`.
    ///   - checksAdditions: false for lines out of `FieldAdditions`, which checks each byte when it is added.
    ///   - acceptsTrailers: writes `TE: trailers` with its Connection option (RFC 9112 section 7.4).
    package static func append(
        to buffer: inout Buffer, bytes: Span<UInt8>, head: borrowing RequestHead, path: Span<UInt8>,
        host: Span<UInt8>, additions: Span<UInt8>, framing: BodyFraming, upgrade: Bool = false,
        sendExpect: Bool = false, acceptsTrailers: Bool = false, checksAdditions: Bool = true
    ) throws(EncoderFailure) -> Bool {
        let needed = bytesNeeded(head: head, path: path, host: host, additions: additions)
        if needed > buffer.tailroom { return false }
        if case .untilClose = framing { throw .impossibleFraming }
        guard ByteScan.isVisible(path), ByteScan.isVisible(host), !checksAdditions || HeadWriter.areSafe(additions)
        else {
            throw .unsafeBytes
        }
        appendRequestLine(to: &buffer, bytes, head, path)
        buffer.append(host)
        HeadWriter.appendLineEnd(to: &buffer)
        HeadWriter.appendFields(head.fields, of: bytes, to: &buffer)
        if additions.count > 0 { buffer.append(additions) }
        HeadWriter.appendFraming(framing, to: &buffer)
        if sendExpect { buffer.append("Expect: 100-continue\r\n") }
        if upgrade {
            buffer.append("Connection: Upgrade\r\nUpgrade: websocket\r\n")
        } else if acceptsTrailers {
            buffer.append("Connection: TE\r\nTE: trailers\r\n")
        }
        HeadWriter.appendLineEnd(to: &buffer)
        return true
    }

    /// Everything up to the value of Host.
    @inline(__always)
    private static func appendRequestLine(
        to buffer: inout Buffer, _ bytes: Span<UInt8>, _ head: borrowing RequestHead, _ path: Span<UInt8>
    ) {
        if head.method == .get {
            buffer.append("GET ")
        } else {
            buffer.append(bytes.extracting(head.methodRange.range))
            buffer.append(0x20)
        }
        if path.count > 0 {
            buffer.append(path)
        } else {
            buffer.append(head.form == .asterisk ? 0x2A : 0x2F)
        }
        if let query = head.query {
            buffer.append(0x3F)
            buffer.append(bytes.extracting(query.range))
        }
        buffer.append(" HTTP/1.1\r\nHost: ")
    }
}
