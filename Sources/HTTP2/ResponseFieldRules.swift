import Containers
import HTTP

/// What makes responses malformed (RFC 9113 section 8), and the head as the parser of HTTP/1.1 would have made it.
extension FieldSection {
    mutating func noteOfResponse(_ last: Int) {
        let value = lines[last].value
        switch lines[last].known {
        case .te: mark(.connectionField)
        case .contentLength:
            lines[last].isRemoved = true
            noteContentLength(value)
        case .http2Settings, .proxyAuthenticate, .proxyAuthorization: lines[last].isRemoved = true
        case .date: response.hasDate = true
        case .contentType: response.isEventStream = EndlessContent.isEndless(arena.span, value)
        case .secWebSocketAccept: response.secWebSocketAccept = value
        default: break
        }
    }

    /// Decides what needs all fields of a response. `isTunnel`: it answers an extended CONNECT.
    mutating func finishResponse(isEnd: Bool, isHead: Bool, isTunnel: Bool) {
        if fault == .none { checkResponse(isEnd, isHead, isTunnel) }
        swap(&lines, &response.fields)
        response.byteCount = arena.count
    }

    private mutating func checkResponse(_ isEnd: Bool, _ isHead: Bool, _ isTunnel: Bool) {
        if seen & PseudoField.status.bit == 0 { return mark(.missingPseudoField) }
        let digits = ByteScan.word(arena.span, at: notes.status.lower)
        guard notes.status.count == 3, let status = ByteScan.decimal(digits, count: 3), status >= 100 else {
            return mark(.status)
        }
        response.status = status
        if status < 200 {
            // RFC 9113 section 8.6: there is nothing to switch to, and a final response must follow.
            if isEnd || status == 101 { mark(.interim) }
            return
        }
        if isTunnel && status < 300 {
            // RFC 8441 section 5: for the exchange it is the switch that it would be in HTTP/1.1.
            if isEnd { return mark(.connect) }
            response.status = 101
            response.isWebSocketSwitch = true
            return
        }
        if status == 204 || status == 304 || isHead {
            if status != 204 { response.declaredLength = notes.contentLength }
        } else if status == 205 {
            response.framing = .length(0)
        } else if let length = notes.contentLength {
            if isEnd && length > 0 { return mark(.contentLength) }
            response.framing = .length(length)
        } else {
            response.framing = isEnd ? .length(0) : .chunked
        }
    }

    /// Whether no byte of content can follow the response.
    var responseHasNoContent: Bool {
        switch response.framing {
        case .none: !response.isWebSocketSwitch
        case .length(let length): length == 0
        case .chunked, .untilClose: false
        }
    }
}
