import Containers
import HTTP

/// What the fields of one response say about framing and connection, collected line by line.
struct ResponseFields {
    private var contentLength: Int?
    private var isChunked = false
    private var options = ConnectionOptions()
    private var optionsAreBroken = false
    private var upgrades = 0
    private var upgradesToWebSocket = false
    private var acceptCount = 0

    /// Whether lines with this field have to be noted.
    @inline(__always)
    static func concern(_ field: KnownField) -> Bool { noted.contains(field) }

    private static var noted: KnownFieldSet {
        [
            .contentLength, .transferEncoding, .connection, .keepAlive, .upgrade, .te, .proxyConnection,
            .http2Settings, .proxyAuthenticate, .proxyAuthorization, .secWebSocketAccept, .date, .contentType,
        ]
    }

    /// Takes note of the last line of `head` and marks it when it must not be forwarded as received.
    @inline(never)
    mutating func note(_ bytes: Span<UInt8>, _ head: inout ResponseHead) throws(ResponseFailure) {
        let last = head.fields.count &- 1
        let line = head.fields[last]
        switch line.known {
        case .contentLength, .transferEncoding:
            head.fields[last].isRemoved = true
            try noteFraming(line.known, line.value, bytes, head.minorVersion)
        case .connection:
            head.fields[last].isRemoved = true
            if !options.note(bytes.extracting(line.value.range)) {
                if options.hasTooMany { throw ResponseFailure(.responseInvalid) }
                optionsAreBroken = true
            }
        case .keepAlive:
            head.fields[last].isRemoved = true
            head.keepAliveTimeoutSeconds = KeepAliveField.timeout(bytes.extracting(line.value.range))
        case .upgrade:
            head.fields[last].isRemoved = true
            noteUpgrade(bytes.extracting(line.value.range))
        case .te, .proxyConnection, .http2Settings, .proxyAuthenticate, .proxyAuthorization:
            // RFC 9110 sections 7.6.1 and 11.7.1: for us alone.
            head.fields[last].isRemoved = true
        case .secWebSocketAccept:
            acceptCount &+= 1
            head.secWebSocketAccept = line.value
        case .date:
            head.hasDate = true
        case .contentType:
            head.isEventStream = EndlessContent.isEndless(bytes, line.value)
        default:
            break
        }
    }

    @inline(__always)
    private mutating func noteFraming(
        _ field: KnownField, _ value: ByteRange, _ bytes: Span<UInt8>, _ minorVersion: UInt8
    ) throws(ResponseFailure) {
        // RFC 9112 section 6.3: more than one statement of the length means that the sender is broken or attacked.
        if contentLength != nil || isChunked { throw ResponseFailure(.responseInvalid) }
        if field == .contentLength {
            guard let length = ContentLength.parse(bytes, value) else { throw ResponseFailure(.responseInvalid) }
            contentLength = length
        } else {
            guard minorVersion > 0, PackedToken(bytes.extracting(value.range)) == .chunked else {
                throw ResponseFailure(.responseInvalid)
            }
            isChunked = true
        }
    }

    private mutating func noteUpgrade(_ value: Span<UInt8>) {
        var elements = ListElements()
        while let element = elements.next(value), upgrades <= RequestLimits.listElements {
            upgrades &+= 1
            upgradesToWebSocket = PackedToken(value.extracting(element)) == .websocket
        }
    }

    /// Decides what needs all lines.
    mutating func finish(_ bytes: Span<UInt8>, _ requestMethod: Method, _ head: inout ResponseHead) {
        // Of a list that is broken nothing was read behind the fault: what stands there may be a name.
        if options.namesFields || optionsAreBroken { options.removeNamed(bytes, &head.fields) }
        head.keepAlive =
            !optionsAreBroken && !options.contains(.close) && (head.minorVersion > 0 || options.contains(.keepAlive))
        if head.status == 101 {
            head.isWebSocketSwitch =
                upgrades == 1 && upgradesToWebSocket && options.contains(.upgrade) && acceptCount == 1
                && head.minorVersion > 0
        }
        frame(requestMethod, &head)
    }

    /// RFC 9112 section 6.3, in its order.
    private func frame(_ requestMethod: Method, _ head: inout ResponseHead) {
        if head.status < 200 || head.status == 204 {
            // RFC 9110 section 8.6: neither may say a length; if one does, whatever follows cannot be trusted.
            if isChunked || contentLength != nil { head.keepAlive = false }
            head.framing = .none
        } else if requestMethod == .head || head.status == 304 {
            head.framing = .none
            head.declaredLength = contentLength
        } else if head.status == 205 {
            // RFC 9110 section 15.3.6: there is no content, whatever the framing says.
            if contentLength != 0 { head.keepAlive = false }
            head.framing = .length(0)
        } else if isChunked {
            head.framing = .chunked
        } else if let contentLength {
            head.framing = .length(contentLength)
        } else {
            head.framing = .untilClose
            head.keepAlive = false
        }
    }
}
