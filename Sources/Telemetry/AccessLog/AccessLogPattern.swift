import Containers
import HTTP

/// A line in aiohttp's directives, compiled.
///
/// | directive | stands for |
/// |---|---|
/// | `%a` | the client's address |
/// | `%t` | when the request began, `[22/Nov/2026:17:33:05 +0000]` |
/// | `%P` | the process id, `<1234>` |
/// | `%r` | the request line |
/// | `%s` | the status |
/// | `%b` | bytes of the answer with its head |
/// | `%T` `%Tf` `%D` | the time taken: rounded seconds, seconds with six decimals, microseconds |
/// | `%{Name}i` `%{Name}o` | a field of the request, of the answer; `-` without one |
/// | `%%` | a percent sign |
struct AccessLogPattern: Sendable {
    private enum Kind: UInt8 {
        case literal, client, time, process, requestLine, status, bytesSent, seconds, fraction, microseconds
        case requestField, responseField
        /// Request fields whose places the record knows.
        case userAgent, referer
    }

    /// Plain values over one array: walking them counts no references.
    private struct Segment {
        var kind: Kind
        var start = 0
        var count = 0
    }

    private var segments: [Segment] = []
    /// Literals, and names of fields in lower case.
    private var text: [UInt8] = []
    private let process: Int
    private(set) var needsResponseFields = false

    init(_ source: String, process: Int32) {
        self.process = Int(process)
        let bytes = Array(source.utf8)
        var index = 0
        while index < bytes.count {
            guard bytes[index] == 0x25, index + 1 < bytes.count else {
                addLiteral(bytes[index])
                index += 1
                continue
            }
            index += 1
            if bytes[index] == 0x7B, let end = bytes[index...].firstIndex(of: 0x7D), end + 1 < bytes.count {
                addField(bytes[index + 1..<end], direction: bytes[end + 1])
                index = end + 2
            } else {
                let isFraction = bytes[index] == 0x54 && index + 1 < bytes.count && bytes[index + 1] == 0x66
                addDirective(bytes[index], isFraction: isFraction)
                index += isFraction ? 2 : 1
            }
        }
    }

    private mutating func addLiteral(_ byte: UInt8) {
        if let last = segments.indices.last, segments[last].kind == .literal {
            segments[last].count += 1
        } else {
            segments.append(Segment(kind: .literal, start: text.count, count: 1))
        }
        // A line end in a literal would break a line in two.
        text.append(byte < 0x20 || byte == 0x7F ? 0x20 : byte)
    }

    private mutating func addField(_ name: ArraySlice<UInt8>, direction: UInt8) {
        let lowercased = name.map { ByteClass.lowercased($0) }
        let isRequest = direction == 0x69
        guard isRequest || direction == 0x6F else {
            // The configuration has refused this already; here it stands for itself.
            for byte in [0x25, 0x7B] + name + [0x7D, direction] { addLiteral(byte) }
            return
        }
        if isRequest && lowercased == Array("user-agent".utf8) {
            segments.append(Segment(kind: .userAgent))
            return
        }
        if isRequest && lowercased == Array("referer".utf8) {
            segments.append(Segment(kind: .referer))
            return
        }
        segments.append(
            Segment(kind: isRequest ? .requestField : .responseField, start: text.count, count: lowercased.count))
        text += lowercased
        if !isRequest { needsResponseFields = true }
    }

    private mutating func addDirective(_ letter: UInt8, isFraction: Bool) {
        let kind: Kind
        switch letter {
        case 0x61: kind = .client
        case 0x74: kind = .time
        case 0x50: kind = .process
        case 0x72: kind = .requestLine
        case 0x73: kind = .status
        case 0x62: kind = .bytesSent
        case 0x54: kind = isFraction ? .fraction : .seconds
        case 0x44: kind = .microseconds
        case 0x25:
            addLiteral(0x25)
            return
        default:
            addLiteral(0x25)
            addLiteral(letter)
            return
        }
        segments.append(Segment(kind: kind))
    }

    /// Appends the line without its end. False when the room did not suffice; a part of it may then stand there.
    func append(
        _ record: borrowing ExchangeRecord, _ texts: borrowing ExchangeTexts, _ redaction: Redaction,
        clock: inout LogClock, to buffer: inout Buffer
    ) -> Bool {
        for index in 0..<segments.count {
            let segment = segments[index]
            guard buffer.tailroom > segment.count + 2 * LogText.valueLimit else { return false }
            switch segment.kind {
            case .literal: buffer.append(text.span.extracting(segment.start..<segment.start + segment.count))
            case .client: TextLine.appendAddress(record.client, to: &buffer)
            case .time:
                buffer.append(0x5B)
                clock.appendCommon(seconds: record.startSeconds, to: &buffer)
                buffer.append(0x5D)
            case .process:
                buffer.append(0x3C)
                buffer.append(decimal: process)
                buffer.append(0x3E)
            case .requestLine: TextLine.appendRequestLine(record, texts, redaction, to: &buffer)
            case .status: TextLine.appendOrDash(number: record.status, to: &buffer)
            case .bytesSent: buffer.append(decimal: record.totalSent)
            case .seconds: buffer.append(decimal: Self.rounded(record.total, by: 1_000_000_000))
            case .fraction:
                let microseconds = Self.rounded(record.total, by: 1000)
                buffer.append(decimal: microseconds / 1_000_000)
                buffer.append(0x2E)
                TextLine.appendThreeDigits(microseconds / 1000 % 1000, to: &buffer)
                TextLine.appendThreeDigits(microseconds % 1000, to: &buffer)
            case .microseconds: buffer.append(decimal: Self.rounded(record.total, by: 1000))
            case .userAgent: TextLine.appendOrDash(texts.head.part(record.head.userAgent), to: &buffer)
            case .referer: TextLine.appendReferer(record, texts, redaction, to: &buffer)
            case .requestField: appendField(segment, of: texts.head, redaction, to: &buffer)
            case .responseField: appendField(segment, of: texts.responseHead, redaction, to: &buffer)
            }
        }
        return true
    }

    private func appendField(
        _ segment: Segment, of head: Span<UInt8>, _ redaction: Redaction, to buffer: inout Buffer
    ) {
        let name = text.span.extracting(segment.start..<segment.start + segment.count)
        guard let value = FieldLookup.value(of: name, in: head) else {
            buffer.append(0x2D)
            return
        }
        if redaction.hidesField(name) {
            buffer.append(Redaction.replacement)
        } else {
            redaction.appendTarget(value, .hexadecimal, to: &buffer)
        }
    }

    private static func rounded(_ nanoseconds: Int64, by unit: Int) -> Int {
        let value = Int(max(0, nanoseconds))
        let quotient = value / unit
        return value % unit >= unit / 2 ? quotient + 1 : quotient
    }
}
