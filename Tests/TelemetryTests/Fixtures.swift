import Config
import Containers
import HTTP
import Net

@testable import Telemetry

/// Where `part` stands in `text`; the test's own mistake when it does not.
func range(of part: String, in text: String) -> ByteRange {
    let whole = Array(text.utf8)
    let wanted = Array(part.utf8)
    for start in 0...(whole.count - wanted.count) where Array(whole[start..<start + wanted.count]) == wanted {
        return ByteRange(start: start, count: wanted.count)
    }
    return ByteRange(start: 1 << 20, count: 1)
}

/// An exchange whose head is put together from parts, with the ranges a parser would give.
struct Sample {
    var record = ExchangeRecord()
    var head: [UInt8] = []
    var responseHead: [UInt8] = []
    var requestID = Array("0123456789abcdef0123456789abcdef".utf8)
    var route: [UInt8] = Array("user".utf8)
    var upstream: [UInt8] = Array("users".utf8)
    var endpoint: [UInt8] = Array("http://10.0.0.11:9000".utf8)
    var identity: [UInt8] = []

    init(
        method: [UInt8] = Array("GET".utf8), path: [UInt8] = Array("/users/7".utf8), query: [UInt8]? = nil,
        host: [UInt8] = Array("api.example.com".utf8), userAgent: [UInt8]? = Array("curl/8.0".utf8),
        referer: [UInt8]? = nil, fields: String = ""
    ) {
        func put(_ bytes: [UInt8]) -> ByteRange {
            defer { head += bytes }
            return ByteRange(start: head.count, count: bytes.count)
        }
        record.head.method = put(method)
        _ = put([0x20])
        record.head.path = put(path)
        if let query {
            _ = put([0x3F])
            record.head.query = put(query)
        }
        record.head.target = ByteRange(start: record.head.path.lower, count: head.count - record.head.path.lower)
        _ = put(Array(" HTTP/1.1\r\nHost: ".utf8))
        record.head.authority = put(host)
        _ = put([13, 10])
        if let userAgent {
            _ = put(Array("User-Agent: ".utf8))
            record.head.userAgent = put(userAgent)
            _ = put([13, 10])
        }
        if let referer {
            _ = put(Array("Referer: ".utf8))
            record.head.referer = put(referer)
            _ = put([13, 10])
        }
        _ = put(Array(fields.utf8))
        _ = put([13, 10])
        record.client = .v4(0xC0A8_0107)
        record.clientPort = 51_234
        record.status = 200
        record.totalReceived = 300
        record.totalSent = 1_234
        record.bodySent = 1_000
        record.bodyReceived = 20
        record.total = 12_345_678
        record.firstByte = 11_000_000
        record.connect = 250_999
        record.queue = 1_000
        record.attempts = 1
        record.upstreamStatus = 200
        // 2026-11-22T17:33:05.012Z
        record.startSeconds = 1_795_368_785
        record.startNanoseconds = 12_999_999
    }

    /// The line in a format, as bytes with the line end.
    func bytes(_ format: AccessLogFormat) -> [UInt8] {
        var buffer = Buffer(capacity: 65_536)
        var clock = LogClock()
        let texts = ExchangeTexts(
            head: head.span, responseHead: responseHead.span, requestID: requestID.span, route: route.span,
            upstream: upstream.span, endpoint: endpoint.span, identity: identity.span)
        guard format.append(record, texts, clock: &clock, to: &buffer) else { return [] }
        return copy(buffer.span)
    }

    func line(_ format: AccessLogConfig.Format, redaction: Redaction = Redaction()) -> String {
        let line = bytes(AccessLogFormat(format, redaction: redaction, process: 42))
        return String(decoding: line, as: UTF8.self)
    }
}

func copy(_ span: Span<UInt8>) -> [UInt8] {
    var bytes: [UInt8] = []
    for index in 0..<span.count { bytes.append(span[index]) }
    return bytes
}

/// A strict reader of one flat JSON object (RFC 8259), independent of the writer: nil for anything that is not one.
func readJSON(_ bytes: [UInt8]) -> [String: String]? {
    guard String(validating: bytes, as: UTF8.self) != nil else { return nil }
    var reader = JSONReader(bytes: bytes)
    return reader.object()
}

private struct JSONReader {
    let bytes: [UInt8]
    var index = 0

    mutating func object() -> [String: String]? {
        var members: [String: String] = [:]
        guard take(0x7B) else { return nil }
        repeat {
            guard let name = string(), take(0x3A), let value = value(), members[name] == nil else { return nil }
            members[name] = value
        } while take(0x2C)
        guard take(0x7D), take(0x0A), index == bytes.count else { return nil }
        return members
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard index < bytes.count, bytes[index] == byte else { return false }
        index += 1
        return true
    }

    private mutating func value() -> String? {
        if index < bytes.count, bytes[index] == 0x22 { return string() }
        var text = ""
        while index < bytes.count, ![0x2C, 0x7D].contains(bytes[index]) {
            text.unicodeScalars.append(Unicode.Scalar(bytes[index]))
            index += 1
        }
        return ["true", "false"].contains(text) || Double(text) != nil ? text : nil
    }

    private mutating func string() -> String? {
        guard take(0x22) else { return nil }
        var text = ""
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            switch byte {
            case 0x22: return text
            case 0x5C:
                guard let scalar = escape() else { return nil }
                text.unicodeScalars.append(scalar)
            case 0x20...0x7E: text.unicodeScalars.append(Unicode.Scalar(byte))
            default: return nil
            }
        }
        return nil
    }

    private mutating func escape() -> Unicode.Scalar? {
        guard index < bytes.count else { return nil }
        let letter = bytes[index]
        index += 1
        switch letter {
        case 0x22, 0x5C: return Unicode.Scalar(letter)
        case 0x62: return "\u{8}"
        case 0x66: return "\u{C}"
        case 0x6E: return "\n"
        case 0x72: return "\r"
        case 0x74: return "\t"
        case 0x75:
            guard index + 4 <= bytes.count,
                let value = UInt32(String(decoding: bytes[index..<index + 4], as: UTF8.self), radix: 16)
            else { return nil }
            index += 4
            return Unicode.Scalar(value)
        default: return nil
        }
    }
}
