import Containers
import HTTP

/// What the fields of one request say about framing, connection and upgrade, collected line by line.
///
/// What can only be decided with all lines known waits for `finish`; everything else throws at its line.
struct RequestFields {
    private enum Sighting { case none, valid, invalid }

    /// Of the Host field, which is never empty; empty without one.
    private var host = ByteRange.empty
    private var contentLength: Int?
    private var hasTransferEncoding = false
    private var codingIsChunked = false
    private var codingIsWellFormed = false
    private var options = ConnectionOptions()
    private var offersWebSocket = false
    private var upgradeElements = 0
    private var hasExpect = false
    private var expectIsContinue = false
    private var trailersAccepted = false
    private var key = Sighting.none
    private var version = Sighting.none

    /// Whether lines with this field have to be noted.
    @inline(__always)
    static func concern(_ field: KnownField) -> Bool { noted.contains(field) }

    private static var noted: KnownFieldSet {
        [
            .host, .connection, .contentLength, .transferEncoding, .te, .upgrade, .expect, .trailer, .keepAlive,
            .proxyConnection, .http2Settings, .proxyAuthorization, .proxyAuthenticate, .secWebSocketKey,
            .secWebSocketVersion,
        ]
    }

    /// Takes note of the last line of `head` and marks it when it must not be forwarded as received.
    @inline(never)
    mutating func note(_ bytes: Span<UInt8>, _ head: inout RequestHead) throws(RequestFailure) {
        let last = head.fields.count &- 1
        let line = head.fields[last]
        switch line.known {
        case .secWebSocketKey, .secWebSocketVersion:
            noteHandshake(line, bytes)
        case .trailer, .keepAlive, .proxyConnection, .http2Settings, .proxyAuthorization, .proxyAuthenticate:
            // RFC 9110 section 7.6.1 and 11.7.2: for the next hop alone, whether Connection names them or not.
            head.fields[last].isRemoved = true
        case .host:
            head.fields[last].isRemoved = true
            // RFC 9112 section 3.2: exactly one, and valid.
            if !host.isEmpty || !AuthoritySyntax.isValid(bytes, line.value) { throw RequestFailure(.badRequest) }
            host = line.value
        default:
            head.fields[last].isRemoved = true
            try noteFraming(line, bytes, head.minorVersion)
        }
    }

    private mutating func noteFraming(
        _ line: FieldLine, _ bytes: Span<UInt8>, _ minorVersion: UInt8
    ) throws(RequestFailure) {
        let value = bytes.extracting(line.value.range)
        switch line.known {
        case .contentLength:
            guard contentLength == nil, !hasTransferEncoding, let length = ContentLength.parse(bytes, line.value) else {
                throw RequestFailure(.badRequest)
            }
            contentLength = length
        case .transferEncoding:
            // RFC 9112 section 6.1: with Content-Length an attack, in HTTP/1.0 faulty framing.
            if hasTransferEncoding || contentLength != nil || minorVersion == 0 { throw RequestFailure(.badRequest) }
            hasTransferEncoding = true
            codingIsChunked = PackedToken(value) == .chunked
            codingIsWellFormed = codingIsChunked || TransferCodings.areWellFormed(value)
        case .connection:
            if !options.note(value) { throw RequestFailure(.badRequest) }
        case .upgrade:
            try noteUpgrade(value)
        case .te:
            noteTE(value)
        case .expect:
            expectIsContinue = !hasExpect && PackedToken(value) == .hundredContinue
            hasExpect = true
        default:
            break
        }
    }

    private mutating func noteUpgrade(_ value: Span<UInt8>) throws(RequestFailure) {
        var elements = ListElements()
        while let element = elements.next(value) {
            upgradeElements &+= 1
            if upgradeElements > RequestLimits.listElements { throw RequestFailure(.badRequest) }
            if PackedToken(value.extracting(element)) == .websocket { offersWebSocket = true }
        }
    }

    private mutating func noteTE(_ value: Span<UInt8>) {
        var elements = ListElements()
        while let element = elements.next(value) {
            if PackedToken(value.extracting(element)) == .trailers { trailersAccepted = true }
        }
    }

    private mutating func noteHandshake(_ line: FieldLine, _ bytes: Span<UInt8>) {
        let value = bytes.extracting(line.value.range)
        if line.known == .secWebSocketKey {
            key = key == .none && WebSocketKey.isValid(value) ? .valid : .invalid
        } else {
            version = version == .none && PackedToken(value) == .thirteen ? .valid : .invalid
        }
    }

    /// Decides what needs all lines; `head` has the request line and every field line.
    mutating func finish(_ bytes: Span<UInt8>, _ head: inout RequestHead) throws(RequestFailure) {
        if !host.isEmpty {
            // RFC 9112 section 3.2.2: an absolute target's authority counts and Host is ignored.
            if head.authority.isEmpty { head.authority = host }
        } else if head.minorVersion > 0 {
            throw RequestFailure(.badRequest)
        }
        if hasTransferEncoding {
            if !codingIsChunked { throw RequestFailure(codingIsWellFormed ? .unsupportedCoding : .badRequest) }
            head.framing = .chunked
        } else if let contentLength {
            head.framing = .length(contentLength)
        }
        if options.namesFields { options.removeNamed(bytes, &head.fields) }
        // RFC 9112 section 9.3: no persistent connections with HTTP/1.0 clients.
        head.keepAlive = head.minorVersion > 0 && !options.contains(.close)
        guard head.minorVersion > 0 else { return }
        head.acceptsTrailers = trailersAccepted && options.contains(.te)
        if hasExpect {
            // RFC 9110 section 10.1.1.
            if !expectIsContinue { throw RequestFailure(.expectationFailed) }
            head.expectsContinue = head.framing == .chunked || contentLength.map { $0 > 0 } ?? false
        }
        if offersWebSocket { try finishUpgrade(&head) }
    }

    /// RFC 6455 section 4.2.1. What is no attempt at a WebSocket stays an ordinary request without Upgrade.
    private func finishUpgrade(_ head: inout RequestHead) throws(RequestFailure) {
        guard options.contains(.upgrade), head.method == .get, head.framing == .none,
            head.form != .asterisk
        else { return }
        if key != .valid || version != .valid { throw RequestFailure(.upgradeRefused) }
        head.isWebSocketHandshake = true
    }
}
