import HTTP

/// The request line (RFC 9112 section 3): `method SP target SP version CRLF`, each separator exactly one SP.
enum RequestLine {
    private static var space: UInt8 { 0x20 }
    private static var carriageReturn: UInt8 { 0x0D }
    private static var lineFeed: UInt8 { 0x0A }

    /// Parses the line at `cursor`. False when more bytes are needed.
    @inline(__always)
    static func parse(
        _ bytes: Span<UInt8>, _ cursor: inout Int, _ limits: RequestLimits, into head: inout RequestHead
    ) throws(RequestFailure) -> Bool {
        let first = ByteScan.wholeWord(bytes, at: cursor)
        if first & 0xFFFF_FFFF == 0x2054_4547 {
            // GET; the head was reset to it.
            head.methodRange = ByteRange(start: cursor, count: 3)
            cursor &+= 4
        } else {
            guard try parseMethod(bytes, &cursor, into: &head) else { return false }
        }
        guard try parseTarget(bytes, &cursor, limits.targetBytes, into: &head) else { return false }
        if ByteScan.wholeWord(bytes, at: cursor) == HTTPVersion.oneOne
            && ByteScan.pair(bytes, at: cursor &+ 8) == 0x0A0D
        {
            head.minorVersion = 1
            cursor &+= 10
        } else {
            guard try parseVersion(bytes, &cursor, into: &head) else { return false }
        }
        // RFC 9110 sections 9.3.6 and 9.3.8: tunnels and reflections are not what a gateway is for.
        if head.method == .connect || head.method == .trace { throw RequestFailure(.methodNotSupported) }
        return true
    }

    /// Sets `method` and `methodRange` and leaves `cursor` behind the SP.
    @inline(never)
    private static func parseMethod(
        _ bytes: Span<UInt8>, _ cursor: inout Int, into head: inout RequestHead
    ) throws(RequestFailure) -> Bool {
        let rest = bytes.extracting(droppingFirst: cursor)
        var end = 0
        var word: UInt64 = 0
        while end < rest.count && rest[end] != space {
            let byte = rest[end]
            // Methods that we know are upper-case letters; the table is asked for the others alone.
            if byte &- 0x41 >= 26 && !ByteClass.isToken(byte) { throw RequestFailure(.badRequest) }
            if end < 8 { word |= UInt64(byte) &<< UInt64(truncatingIfNeeded: 8 &* end) }
            end &+= 1
            if end > RequestLimits.methodBytes { throw RequestFailure(.badRequest) }
        }
        if end == rest.count { return false }
        if end == 0 { throw RequestFailure(.badRequest) }
        head.method = end < 8 ? Method.recognise(word) : .other
        head.methodRange = ByteRange(start: cursor, count: end)
        cursor &+= end &+ 1
        return true
    }

    /// Sets target, path, query, form and, for an absolute target, the authority; leaves `cursor` behind the SP.
    @inline(__always)
    private static func parseTarget(
        _ bytes: Span<UInt8>, _ cursor: inout Int, _ limit: Int, into head: inout RequestHead
    ) throws(RequestFailure) -> Bool {
        let start = cursor
        var end = start
        var question = -1
        search: while true {
            var marks = ByteScan.unusualInTarget(ByteScan.word(bytes, at: end))
            let next = end &+ 8
            while marks != 0 {
                end = ByteScan.place(next &- 8, marks)
                if end &- start > limit { throw RequestFailure(.uriTooLong) }
                guard end < bytes.count else { return false }
                let byte = bytes[end]
                if byte == space { break search }
                if byte == 0x3F {
                    if question < 0 { question = end }
                } else if !ByteClass.isPlainTarget(byte) {
                    guard try isEscape(bytes, end) else { return false }
                }
                marks &= marks &- 1
            }
            end = next
        }
        head.target = ByteRange(start: start, count: end &- start)
        var pathEnd = end
        if question >= 0 {
            pathEnd = question
            head.query = ByteRange(start: question &+ 1, count: end &- question &- 1)
        }
        if bytes[start] == 0x2F {
            head.path = ByteRange(start: start, count: pathEnd &- start)
        } else if head.method != .connect {
            try parseOtherForm(bytes, start, end, pathEnd, into: &head)
        }
        cursor = end &+ 1
        return true
    }

    /// Whether an escape is whole; throws when the byte at `index` is no `%` or no hexadecimal digits follow.
    @inline(never)
    private static func isEscape(_ bytes: Span<UInt8>, _ index: Int) throws(RequestFailure) -> Bool {
        if bytes[index] != 0x25 { throw RequestFailure(.badRequest) }
        guard index &+ 1 < bytes.count else { return false }
        if !ByteClass.isHexDigit(bytes[index &+ 1]) { throw RequestFailure(.badRequest) }
        guard index &+ 2 < bytes.count else { return false }
        if !ByteClass.isHexDigit(bytes[index &+ 2]) { throw RequestFailure(.badRequest) }
        return true
    }

    /// Absolute form and asterisk form (RFC 9112 sections 3.2.2 and 3.2.4).
    @inline(never)
    private static func parseOtherForm(
        _ bytes: Span<UInt8>, _ start: Int, _ targetEnd: Int, _ queryMark: Int, into head: inout RequestHead
    ) throws(RequestFailure) {
        let target = bytes.extracting(start..<targetEnd)
        let pathEnd = queryMark &- start
        if target.count == 1 && target[0] == 0x2A {
            if head.method != .options { throw RequestFailure(.badRequest) }
            head.form = .asterisk
            return
        }
        let authority: Int
        if PackedToken(target.extracting(first: 7)) == .http {
            authority = 7
        } else if PackedToken(target.extracting(first: 8)) == .https {
            authority = 8
        } else {
            throw RequestFailure(.badRequest)
        }
        var end = authority
        while end < pathEnd && target[end] != 0x2F { end &+= 1 }
        let range = ByteRange(start: authority, count: end &- authority)
        if !AuthoritySyntax.isValid(target, range) { throw RequestFailure(.badRequest) }
        head.form = .absolute
        head.authority = ByteRange(start: start &+ authority, count: end &- authority)
        head.path = ByteRange(start: start &+ end, count: pathEnd &- end)
        if head.method == .options && end == pathEnd && head.query == nil { head.form = .asterisk }
    }

    /// Sets `minorVersion` and leaves `cursor` behind the CRLF.
    @inline(never)
    private static func parseVersion(
        _ bytes: Span<UInt8>, _ cursor: inout Int, into head: inout RequestHead
    ) throws(RequestFailure) -> Bool {
        let rest = bytes.extracting(droppingFirst: cursor)
        for index in 0..<min(rest.count, 10) {
            let isExpected =
                switch index {
                case 8: rest[index] == carriageReturn
                case 9: rest[index] == lineFeed
                default: HTTPVersion.allows(rest[index], at: index)
                }
            if !isExpected { throw RequestFailure(.badRequest) }
        }
        guard rest.count >= 10 else { return false }
        if rest[5] != 0x31 { throw RequestFailure(.unsupportedVersion) }
        head.minorVersion = rest[7] == 0x30 ? 0 : 1
        cursor &+= 10
        return true
    }
}
