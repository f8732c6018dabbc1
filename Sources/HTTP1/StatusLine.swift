import HTTP

/// The status line (RFC 9112 section 4): `version SP 3DIGIT [SP reason] CRLF`.
enum StatusLine {
    /// Bytes up to and with the status: `HTTP/1.1 200`.
    private static let prefixCount = 12

    /// Parses the line at `cursor`. False when more bytes are needed.
    static func parse(
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
        let count = ByteScan.fieldValueEnd(rest.extracting(droppingFirst: reason))
        if count > 0 && reason == prefixCount { throw ResponseFailure(.responseInvalid) }
        let end = reason &+ count
        guard end < rest.count else { return false }
        if rest[end] != 0x0D { throw ResponseFailure(.responseInvalid) }
        guard end &+ 1 < rest.count else { return false }
        if rest[end &+ 1] != 0x0A { throw ResponseFailure(.responseInvalid) }
        head.reason = ByteRange(start: cursor &+ reason, count: count)
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
