package import Containers
package import HTTP

/// Writes response heads for clients in normal form: status line, the remaining fields, the additions, Date, one
/// framing field, Connection.
package enum ResponseEncoder {
    /// Tailroom with which `append` surely succeeds.
    package static func bytesNeeded(head: borrowing ResponseHead, additions: Span<UInt8>) -> Int {
        head.byteCount &+ head.fields.count &+ additions.count &+ HeadWriter.fixedBytes
    }

    /// Appends the head to `buffer`. False, and nothing appended, when `bytesNeeded` is more than the tailroom.
    ///
    /// - Parameters:
    ///   - bytes: what `head` was parsed from.
    ///   - additions: whole lines, `Name: value CRLF` each.
    ///   - framing: of the body as it will be sent; `none` of an answer to HEAD or a 304 forwards the length that the
    ///     upstream declared.
    ///   - clientMinorVersion: 0 or 1; chunks are impossible for 0.
    ///   - date: an IMF-fixdate for a head that has no Date; empty to add none.
    package static func append(
        to buffer: inout Buffer, bytes: Span<UInt8>, head: borrowing ResponseHead, additions: Span<UInt8>,
        framing: BodyFraming, connection: ConnectionOption, clientMinorVersion: UInt8, date: Span<UInt8>,
        checksAdditions: Bool = true
    ) throws(EncoderFailure) -> Bool {
        if bytesNeeded(head: head, additions: additions) &+ date.count > buffer.tailroom { return false }
        switch framing {
        case .chunked where clientMinorVersion == 0: throw .impossibleFraming
        case .untilClose where connection != .close: throw .impossibleFraming
        case .none, .length, .chunked, .untilClose: break
        }
        guard !checksAdditions || HeadWriter.areSafe(additions) else { throw .unsafeBytes }
        appendLines(to: &buffer, bytes, head)
        if additions.count > 0 { buffer.append(additions) }
        if !head.hasDate && date.count > 0 {
            buffer.append("Date: ")
            buffer.append(date)
            HeadWriter.appendLineEnd(to: &buffer)
        }
        var stated = framing
        if case .none = framing, let length = head.declaredLength { stated = .length(length) }
        HeadWriter.appendFraming(stated, to: &buffer)
        switch connection {
        case .keepAlive: if clientMinorVersion == 0 { buffer.append("Connection: keep-alive\r\n") }
        case .close: buffer.append("Connection: close\r\n")
        case .upgrade: buffer.append("Connection: Upgrade\r\nUpgrade: websocket\r\n")
        }
        HeadWriter.appendLineEnd(to: &buffer)
        return true
    }

    /// Appends an interim response (1xx other than 101) as it is relayed: no framing, no Connection, no Date.
    /// False, and nothing appended, when the tailroom does not suffice.
    package static func appendInterim(
        to buffer: inout Buffer, bytes: Span<UInt8>, head: borrowing ResponseHead
    ) -> Bool {
        if head.byteCount &+ head.fields.count &+ HeadWriter.fixedBytes > buffer.tailroom { return false }
        appendLines(to: &buffer, bytes, head)
        HeadWriter.appendLineEnd(to: &buffer)
        return true
    }

    /// Status line and fields. The usual status line stands in the head as it is written, before the fields.
    @inline(__always)
    private static func appendLines(to buffer: inout Buffer, _ bytes: Span<UInt8>, _ head: borrowing ResponseHead) {
        var prefix = 0
        if head.status == 200 && StatusLine.isUsual(bytes, at: 0) {
            prefix = StatusLine.usualCount
        } else {
            appendStatusLine(to: &buffer, bytes, head)
        }
        HeadWriter.appendFields(head.fields, of: bytes, to: &buffer, behind: prefix)
    }

    /// RFC 9112 section 4: the SP before the reason stays when the reason is empty.
    @inline(never)
    private static func appendStatusLine(to buffer: inout Buffer, _ bytes: Span<UInt8>, _ head: borrowing ResponseHead)
    {
        buffer.append("HTTP/1.1 ")
        buffer.append(decimal: head.status)
        buffer.append(0x20)
        buffer.append(bytes.extracting(head.reason.range))
        HeadWriter.appendLineEnd(to: &buffer)
    }
}
