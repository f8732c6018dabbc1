import Containers
import HTTP
import Net

/// Parts of lines in text formats.
enum TextLine {
    static func appendAddress(_ address: IPAddress, to buffer: inout Buffer) {
        guard case .v4(let octets) = address else {
            address.write { buffer.append($0) }
            return
        }
        // As `IPAddress.write` does it, without a call for each byte.
        appendOctet(octets >> 24, to: &buffer)
        buffer.append(0x2E)
        appendOctet(octets >> 16 & 0xFF, to: &buffer)
        buffer.append(0x2E)
        appendOctet(octets >> 8 & 0xFF, to: &buffer)
        buffer.append(0x2E)
        appendOctet(octets & 0xFF, to: &buffer)
    }

    private static func appendOctet(_ value: UInt32, to buffer: inout Buffer) {
        if value >= 100 { buffer.append(digit(value / 100)) }
        if value >= 10 { buffer.append(digit(value / 10 % 10)) }
        buffer.append(digit(value % 10))
    }

    /// Three decimal digits of a number below 1,000.
    static func appendThreeDigits(_ value: Int, to buffer: inout Buffer) {
        let value = UInt32(truncatingIfNeeded: value)
        buffer.append(digit(value / 100 % 10))
        buffer.append(digit(value / 10 % 10))
        buffer.append(digit(value % 10))
    }

    static func appendStatus(_ status: Int, to buffer: inout Buffer) {
        if status >= 100 && status <= 999 {
            appendThreeDigits(status, to: &buffer)
        } else {
            buffer.append(decimal: status)
        }
    }

    private static func digit(_ value: UInt32) -> UInt8 { 0x30 &+ UInt8(truncatingIfNeeded: value) }

    /// `METHOD target HTTP/1.1` as received; of a head that could not be read, its first line.
    static func appendRequestLine(
        _ record: borrowing ExchangeRecord, _ texts: borrowing ExchangeTexts, _ redaction: Redaction,
        to buffer: inout Buffer
    ) {
        guard !record.head.method.isEmpty else {
            redaction.appendTarget(FieldLookup.startLine(of: texts.head), .hexadecimal, to: &buffer)
            return
        }
        LogText.append(texts.head.part(record.head.method), .hexadecimal, limit: nameLimit, to: &buffer)
        buffer.append(0x20)
        redaction.appendTarget(texts.head.part(record.head.target), .hexadecimal, to: &buffer)
        buffer.append(" ")
        buffer.append(record.head.version)
    }

    static func appendReferer(
        _ record: borrowing ExchangeRecord, _ texts: borrowing ExchangeTexts, _ redaction: Redaction,
        to buffer: inout Buffer
    ) {
        if record.head.referer.isEmpty { buffer.append(0x2D) }
        redaction.appendTarget(texts.head.part(record.head.referer), .hexadecimal, to: &buffer)
    }

    static func appendOrDash(_ bytes: Span<UInt8>, to buffer: inout Buffer) {
        if bytes.isEmpty { buffer.append(0x2D) } else { LogText.append(bytes, .hexadecimal, to: &buffer) }
    }

    static func appendOrDash(number: Int, to buffer: inout Buffer) {
        if number == 0 { buffer.append(0x2D) } else { buffer.append(decimal: number) }
    }

    /// Bytes that a method, a host, a name or an id takes at most.
    static let nameLimit = 256
}

extension Span<UInt8> {
    /// The bytes of a range; none when it does not lie inside.
    @_lifetime(copy self)
    func part(_ range: ByteRange) -> Span<UInt8> {
        guard range.upper <= count else { return extracting(0..<0) }
        return extracting(range.range)
    }
}

extension AccessLogFormat {
    /// The Common Log Format: client, identity, date, request line, status, body bytes.
    func appendCommon(
        _ record: borrowing ExchangeRecord, _ texts: borrowing ExchangeTexts, clock: inout LogClock,
        to buffer: inout Buffer
    ) {
        TextLine.appendAddress(record.client, to: &buffer)
        buffer.append(" - ")
        appendUser(texts.identity, to: &buffer)
        buffer.append(" [")
        clock.appendCommon(seconds: record.startSeconds, to: &buffer)
        buffer.append("] \"")
        TextLine.appendRequestLine(record, texts, redaction, to: &buffer)
        buffer.append("\" ")
        TextLine.appendOrDash(number: record.status, to: &buffer)
        buffer.append(0x20)
        TextLine.appendOrDash(number: record.bodySent, to: &buffer)
    }

    /// What the Combined Log Format adds: referer and user agent.
    func appendCombined(
        _ record: borrowing ExchangeRecord, _ texts: borrowing ExchangeTexts, to buffer: inout Buffer
    ) {
        buffer.append(" \"")
        TextLine.appendReferer(record, texts, redaction, to: &buffer)
        buffer.append("\" \"")
        TextLine.appendOrDash(texts.head.part(record.head.userAgent), to: &buffer)
        buffer.append(0x22)
    }

    /// A user's name; it stands between blanks, so a blank in it is escaped too.
    private func appendUser(_ identity: Span<UInt8>, to buffer: inout Buffer) {
        if identity.isEmpty { buffer.append(0x2D) }
        var written = 0
        for index in 0..<identity.count {
            if identity[index] == 0x20 {
                guard written + 4 <= TextLine.nameLimit else { return }
                buffer.append("\\x20")
                written += 4
            } else {
                written += LogText.append(
                    identity.extracting(index..<index + 1), .hexadecimal, limit: TextLine.nameLimit - written,
                    to: &buffer)
            }
        }
    }
}
