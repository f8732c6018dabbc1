import HTTP

/// The status line (RFC 9112 section 4): `version SP 3DIGIT [SP reason] CRLF`.
enum StatusLine {
    /// Bytes up to and with the status: `HTTP/1.1 200`.
    private static let prefixCount = 12

    /// Parses the line at `cursor`. False when more bytes are needed.
    @inline(__always)
    static func parse(
        _ bytes: Span<UInt8>, _ cursor: inout Int, into head: inout ResponseHead
    ) throws(ResponseFailure) -> Bool {
        if isUsual(bytes, at: cursor) {
            // The head was reset to status 200 and version 1.1.
            head.reason = ByteRange(start: cursor &+ 13, count: 2)
            cursor &+= usualCount
            return true
        }
        return try parseAny(bytes, &cursor, into: &head)
    }

    /// Bytes of the usual line.
    static var usualCount: Int { 17 }

    /// Whether `HTTP/1.1 200 OK CRLF` stands at `offset`.
    @inline(__always)
    static func isUsual(_ bytes: Span<UInt8>, at offset: Int) -> Bool {
        let last = Int(UInt32(truncatingIfNeeded: offset &+ 16))
        // ` 200 OK` and CR as a little-endian word; a test spells it.
        return last < bytes.count && ByteScan.wholeWord(bytes, at: offset) == HTTPVersion.oneOne
            && ByteScan.wholeWord(bytes, at: offset &+ 8) == 0x0D4B_4F20_3030_3220 && bytes[last] == 0x0A
    }

    @inline(never)
    private static func parseAny(
        _ bytes: Span<UInt8>, _ cursor: inout Int, into head: inout ResponseHead
    ) throws(ResponseFailure) -> Bool {
        let rest = bytes.extracting(droppingFirst: cursor)
        let isUsual = rest.count > prefixCount && ByteScan.word(rest) == HTTPVersion.oneOne
        for index in (isUsual ? HTTPVersion.byteCount : 0)..<min(rest.count, prefixCount)
        where !allows(rest[index], at: index) {
            throw ResponseFailure(.responseInvalid)
        }
        guard rest.count > prefixCount else { return false }
        head.minorVersion = rest[7] == 0x30 ? 0 : 1
        head.status = Int(rest[9] &- 0x30) * 100 + Int(rest[10] &- 0x30) * 10 + Int(rest[11] &- 0x30)
        // The SP before an empty reason is often left out, and means nothing.
        var reason = prefixCount
        if rest[reason] == 0x20 { reason &+= 1 }
        let end = ByteScan.fieldValueEnd(rest, from: reason)
        if end > reason && reason == prefixCount { throw ResponseFailure(.responseInvalid) }
        guard end < rest.count else { return false }
        if rest[end] != 0x0D { throw ResponseFailure(.responseInvalid) }
        guard end &+ 1 < rest.count else { return false }
        if rest[end &+ 1] != 0x0A { throw ResponseFailure(.responseInvalid) }
        head.reason = ByteRange(start: cursor &+ reason, count: end &- reason)
        cursor &+= end &+ 2
        return true
    }

    private static func allows(_ byte: UInt8, at index: Int) -> Bool {
        switch index {
        case 5: byte == 0x31
        case 0..<HTTPVersion.byteCount: HTTPVersion.allows(byte, at: index)
        case 8: byte == 0x20
        case 9: byte &- 0x31 < 9
        default: byte &- 0x30 < 10
        }
    }
}
