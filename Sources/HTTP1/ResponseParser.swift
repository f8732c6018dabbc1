import Containers
package import HTTP

/// Parses response heads of upstreams (RFC 9112 sections 4 to 6), as strictly as request heads.
///
///     status line ─▶ field line* ─▶ CRLF ─▶ framing, connection, switch
///
/// Stateless like `RequestParser`. No empty lines are skipped: bytes between two responses belong to neither.
package struct ResponseParser: Sendable {
    package let limits: ResponseLimits

    package init(limits: ResponseLimits = ResponseLimits()) {
        self.limits = limits
    }

    /// Parses the head at the beginning of `bytes`, the answer to a request with `requestMethod`.
    ///
    /// Returns true when the head is complete (`head.byteCount` bytes belong to it), false when more bytes are
    /// needed. Throws when the bytes at hand cannot become a response that may be forwarded. A head with status
    /// 100 to 199 is an interim one, and after it the next head follows; 101 is for the caller to compare with
    /// what was asked for.
    package func parse(
        _ bytes: Span<UInt8>, requestMethod: Method, into head: inout ResponseHead
    ) throws(ResponseFailure) -> Bool {
        head.reset()
        let readable = bytes.extracting(first: limits.headBytes)
        var cursor = 0
        var fields = ResponseFields()
        if try StatusLine.parse(readable, &cursor, into: &head),
            try parseFields(readable, &cursor, &fields, into: &head)
        {
            fields.finish(bytes, requestMethod, &head)
            head.byteCount = cursor
            return true
        }
        if bytes.count >= limits.headBytes { throw ResponseFailure(.responseHeadersTooLarge) }
        return false
    }

    private func parseFields(
        _ bytes: Span<UInt8>, _ cursor: inout Int, _ fields: inout ResponseFields, into head: inout ResponseHead
    ) throws(ResponseFailure) -> Bool {
        var at = cursor
        while ByteScan.pair(bytes, at: at) != 0x0A0D {
            if head.fields.count >= limits.fields {
                // Only a whole line is one too many.
                if try scan(bytes, at) == nil { return false }
                throw ResponseFailure(.responseHeadersTooLarge)
            }
            let known: KnownField
            if let usual = FieldLineScanner.usualLine(bytes, at: at, limit: limits.headBytes) {
                head.fields.append(usual.line)
                known = usual.line.known
                at = usual.end
            } else {
                guard let unusual = try scan(bytes, at) else { return false }
                head.fields.append(unusual.line)
                known = unusual.line.known
                at = unusual.end
            }
            if ResponseFields.concern(known) { try fields.note(bytes, &head) }
        }
        cursor = at &+ 2
        return true
    }

    /// The line at `start`, whatever it is like; nil when it is not whole.
    @inline(never)
    private func scan(
        _ bytes: Span<UInt8>, _ start: Int
    ) throws(ResponseFailure) -> FieldLineScanner.Found? {
        var line = FieldLine(name: .empty, value: .empty, known: .other)
        var cursor = start
        switch FieldLineScanner.scan(bytes, &cursor, limit: limits.headBytes, into: &line) {
        case .line:
            // Names with `_` are a danger to upstreams that read them, not to clients.
            line.isRemoved = false
            return FieldLineScanner.Found(line: line, end: cursor)
        case .end, .incomplete: return nil
        case .invalid: throw ResponseFailure(.responseInvalid)
        case .tooLong: throw ResponseFailure(.responseHeadersTooLarge)
        }
    }
}
