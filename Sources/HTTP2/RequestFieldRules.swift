import Containers
import HTTP

/// What makes requests malformed or refused (RFC 9113 section 8), and the head as the parser of HTTP/1.1 would have made it.
extension FieldSection {
    /// Takes note of the last line, of which a name or value is wrong or which concerns us.
    @inline(never)
    mutating func note(_ entry: TableEntry) {
        if entry.flags.contains(.badName) { return mark(.fieldName) }
        if entry.flags.contains(.badValue) { return mark(.fieldValue) }
        let last = lines.count &- 1
        // Receivers that take `_` for `-` would read another field: as HTTP/1.1 requests.
        if entry.flags.contains(.ambiguousName) && kind != .response { lines[last].isRemoved = true }
        switch entry.known {
        case .connection, .keepAlive, .proxyConnection, .transferEncoding, .upgrade: mark(.connectionField)
        default:
            switch kind {
            case .request: noteOfRequest(last)
            case .response: noteOfResponse(last)
            case .trailers: break
            }
        }
    }

    private mutating func noteOfRequest(_ last: Int) {
        let value = lines[last].value
        switch lines[last].known {
        case .te:
            lines[last].isRemoved = true
            if notes.hasTE || PackedToken(arena.span.extracting(value.range)) != .trailers { mark(.connectionField) }
            notes.hasTE = true
            request.acceptsTrailers = true
        case .contentLength:
            lines[last].isRemoved = true
            noteContentLength(value)
        case .host: noteHost(last)
        case .expect:
            lines[last].isRemoved = true
            let isContinue = PackedToken(arena.span.extracting(value.range)) == .hundredContinue
            notes.expectsContinue = !notes.hasExpect && isContinue
            notes.hasExpect = true
        case .trailer, .http2Settings, .proxyAuthorization, .proxyAuthenticate:
            // RFC 9110 sections 7.6.1 and 11.7.2: for the next hop alone.
            lines[last].isRemoved = true
        case .secWebSocketVersion:
            notes.webSocketVersions &+= 1
            notes.isWebSocketVersion13 = PackedToken(arena.span.extracting(value.range)) == .thirteen
        default: break
        }
    }

    mutating func noteContentLength(_ value: ByteRange) {
        guard notes.contentLength == nil, let length = ContentLength.parse(arena.span, value) else {
            return mark(.contentLength)
        }
        notes.contentLength = length
    }

    /// RFC 9113 section 8.3.1: Host and `:authority` say the same, and one stands for the other.
    private mutating func noteHost(_ last: Int) {
        let value = lines[last].value
        if notes.hasHost { return mark(.host) }
        notes.hasHost = true
        if seen & PseudoField.authority.bit == 0 {
            lines[last].isRemoved = true
            request.authority = value
            return
        }
        let (host, authority) = (value.range, request.authority.range)
        if !ByteClass.equalsIgnoringCase(arena.span.extracting(host), arena.span.extracting(authority)) { mark(.host) }
        _ = lines.popLast()
    }

    /// Decides what needs all fields of a request.
    mutating func finishRequest(isEnd: Bool, allowsConnect: Bool) {
        if fault == .none && refusal == .none { checkRequest(isEnd, allowsConnect) }
        joinCookies()
        swap(&lines, &request.fields)
        request.byteCount = arena.count
        request.isHTTP2 = true
    }

    @inline(__always)
    private mutating func checkRequest(_ isEnd: Bool, _ allowsConnect: Bool) {
        if seen & PseudoField.method.bit == 0 { return mark(.missingPseudoField) }
        request.method = Method.recognise(arena.span.extracting(request.methodRange.range))
        if request.method == .other && !isMethodToken { return mark(.method) }
        if request.method == .connect || upgradeProtocol != nil {
            guard checkConnect(isEnd, allowsConnect) else { return }
        }
        let needed = PseudoField.scheme.bit | PseudoField.path.bit
        if seen & needed != needed { return mark(.missingPseudoField) }
        if !isHTTPScheme { return mark(.scheme) }
        if request.authority.isEmpty { return mark(.authority) }
        if !AuthoritySyntax.isValid(arena.span, request.authority) { return mark(.authority) }
        guard let target = RequestTarget(arena.span, request.target, request.method) else { return mark(.path) }
        request.path = target.path
        request.query = target.query
        request.form = target.form
        if Int(request.target.count) > limits.targetBytes { refusal = .uriTooLong }
        if request.method == .trace { refusal = .methodNotSupported }
        frame(isEnd)
    }

    /// Longer ones are no request of anybody.
    private var isMethodToken: Bool {
        request.methodRange.count <= 64 && ByteScan.isToken(arena.span.extracting(request.methodRange.range))
    }

    private var isHTTPScheme: Bool {
        let bytes = arena.span
        let word = ByteScan.word(bytes.extracting(scheme.range), at: 0)
        return scheme.count == 5 && word == 0x73_7074_7468 || scheme.count == 4 && word == 0x7074_7468
    }

    @inline(__always)
    private mutating func frame(_ isEnd: Bool) {
        if let length = notes.contentLength {
            if isEnd && length > 0 { return mark(.contentLength) }
            request.framing = .length(length)
        } else if !isEnd && !request.isWebSocketHandshake {
            request.framing = .chunked
        }
        if notes.hasExpect {
            // RFC 9110 section 10.1.1.
            if !notes.expectsContinue && refusal == .none { refusal = .expectationFailed }
            request.expectsContinue = request.framing == .chunked || notes.contentLength ?? 0 > 0
        }
    }

    /// RFC 9113 section 8.5 and RFC 8441. False: there is nothing more to be checked. A WebSocket's CONNECT becomes the GET
    /// that it would be in HTTP/1.1.
    @inline(never)
    private mutating func checkConnect(_ isEnd: Bool, _ allowsConnect: Bool) -> Bool {
        let others = PseudoField.scheme.bit | PseudoField.path.bit
        guard let wanted = upgradeProtocol else {
            if seen & others != 0 || seen & PseudoField.authority.bit == 0 {
                mark(.connect)
            } else if !AuthoritySyntax.isValid(arena.span, request.authority) {
                mark(.authority)
            } else {
                refusal = .methodNotSupported
            }
            return false
        }
        guard allowsConnect, request.method == .connect, seen & PseudoField.authority.bit != 0 else {
            mark(.connect)
            return false
        }
        let isWebSocket = PackedToken(arena.span.extracting(wanted.range)) == .websocket
        if !isWebSocket || isEnd || notes.contentLength != nil || notes.webSocketVersions != 1
            || !notes.isWebSocketVersion13
        {
            refusal = .upgradeRefused
        }
        let start = request.methodRange.lower
        arena[start] = 0x47
        arena[start &+ 1] = 0x45
        arena[start &+ 2] = 0x54
        request.methodRange.count = 3
        request.method = .get
        request.isWebSocketHandshake = refusal == .none
        // RFC 8441 section 5: of no use here, and a gateway that switches to HTTP/1.1 makes its own.
        for index in 0..<lines.count where lines[index].known == .secWebSocketKey { lines[index].isRemoved = true }
        return true
    }

    /// Decides what needs all fields of a trailer section.
    mutating func finishTrailers() {
        for index in 0..<lines.count {
            let line = lines[index]
            if !TrailerFields.mayBeForwarded(line.known, arena.span.extracting(line.name.range)) {
                lines[index].isRemoved = true
            }
        }
        if seen != 0 { mark(.trailers) }
        swap(&lines, &trailers)
    }
}
