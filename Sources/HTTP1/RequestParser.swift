import Containers
package import HTTP

/// Parses request heads (RFC 9112 sections 2 to 6) under the strict profile of docs/security.md.
///
///     empty lines ─▶ method SP target SP version CRLF ─▶ field line* ─▶ CRLF ─▶ framing, Host, Expect, upgrade
///
/// Stateless: a head that is not complete is parsed again from its beginning when more of it is there. The verdict
/// is the same however the bytes are cut.
package struct RequestParser: Sendable {
    package let limits: RequestLimits

    package init(limits: RequestLimits = RequestLimits()) {
        self.limits = limits
    }

    /// Parses the head at the beginning of `bytes` into `head`, whose offsets are relative to `bytes`.
    ///
    /// Returns true when the head is complete: then `head.byteCount` bytes belong to it (skipped empty lines too).
    /// Returns false when more bytes are needed. Throws as soon as the bytes at hand cannot become a request that
    /// we serve; then `head` has what was found before (method and target, when the request line was complete).
    package func parse(_ bytes: Span<UInt8>, into head: inout RequestHead) throws(RequestFailure) -> Bool {
        head.reset()
        let readable = bytes.extracting(first: limits.headBytes)
        var cursor = 0
        var fields = RequestFields()
        if try skipEmptyLines(readable, &cursor),
            try RequestLine.parse(readable, &cursor, limits, into: &head),
            try parseFields(readable, &cursor, &fields, into: &head)
        {
            try fields.finish(bytes, &head)
            head.byteCount = cursor
            return true
        }
        if bytes.count >= limits.headBytes { throw RequestFailure(.headersTooLarge) }
        return false
    }

    /// RFC 9112 section 2.2: a few empty lines before a request line are ignored.
    private func skipEmptyLines(_ bytes: Span<UInt8>, _ cursor: inout Int) throws(RequestFailure) -> Bool {
        var lines = 0
        while cursor < bytes.count && bytes[cursor] == 0x0D {
            if lines == RequestLimits.emptyLines { throw RequestFailure(.badRequest) }
            guard cursor &+ 1 < bytes.count else { return false }
            if bytes[cursor &+ 1] != 0x0A { throw RequestFailure(.badRequest) }
            cursor &+= 2
            lines &+= 1
        }
        return cursor < bytes.count
    }

    private func parseFields(
        _ bytes: Span<UInt8>, _ cursor: inout Int, _ fields: inout RequestFields, into head: inout RequestHead
    ) throws(RequestFailure) -> Bool {
        var at = cursor
        while ByteScan.pair(bytes, at: at) != 0x0A0D {
            if head.fields.count >= limits.fields {
                // Only a whole line is one too many.
                if try scan(bytes, at) == nil { return false }
                throw RequestFailure(.headersTooLarge)
            }
            let known: KnownField
            if let usual = FieldLineScanner.usualLine(bytes, at: at, limit: limits.fieldBytes) {
                head.fields.append(usual.line)
                known = usual.line.known
                at = usual.end
            } else {
                guard let unusual = try scan(bytes, at) else { return false }
                head.fields.append(unusual.line)
                known = unusual.line.known
                at = unusual.end
            }
            if RequestFields.concern(known) { try fields.note(bytes, &head) }
        }
        cursor = at &+ 2
        return true
    }

    /// The line at `start`, whatever it is like; nil when it is not whole.
    @inline(never)
    private func scan(
        _ bytes: Span<UInt8>, _ start: Int
    ) throws(RequestFailure) -> FieldLineScanner.Found? {
        var line = FieldLine(name: .empty, value: .empty, known: .other)
        var cursor = start
        switch FieldLineScanner.scan(bytes, &cursor, limit: limits.fieldBytes, into: &line) {
        case .line: return FieldLineScanner.Found(line: line, end: cursor)
        case .end, .incomplete: return nil
        case .invalid: throw RequestFailure(.badRequest)
        case .tooLong: throw RequestFailure(.headersTooLarge)
        }
    }
}
