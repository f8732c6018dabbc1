import Containers
import HTTP

extension AccessLogFormat {
    /// One JSON object. Members that say nothing (no query, no upstream, no failure) are left out.
    func appendJSON(
        _ record: borrowing ExchangeRecord, _ texts: borrowing ExchangeTexts, clock: inout LogClock,
        to buffer: inout Buffer
    ) {
        buffer.append("{\"time\":\"")
        clock.appendISO(seconds: record.startSeconds, nanoseconds: record.startNanoseconds, to: &buffer)
        buffer.append("\",\"request_id\":\"")
        LogText.append(texts.requestID, .json, limit: TextLine.nameLimit, to: &buffer)
        buffer.append("\",\"client\":\"")
        TextLine.appendAddress(record.client, to: &buffer)
        buffer.append("\",\"client_port\":")
        buffer.append(decimal: Int(record.clientPort))
        appendRequest(record, texts, to: &buffer)
        buffer.append(",\"status\":")
        TextLine.appendStatus(record.status, to: &buffer)
        buffer.append(",\"bytes_in\":")
        buffer.append(decimal: record.totalReceived)
        buffer.append(",\"bytes_out\":")
        buffer.append(decimal: record.totalSent)
        buffer.append(",\"total_ms\":")
        Self.append(milliseconds: record.total, to: &buffer)
        if !texts.route.isEmpty {
            buffer.append(",\"route\":\"")
            LogText.append(texts.route, .json, limit: TextLine.nameLimit, to: &buffer)
            buffer.append(0x22)
        }
        if !texts.upstream.isEmpty { appendUpstream(record, texts, to: &buffer) }
        appendRest(record, texts, to: &buffer)
        buffer.append(0x7D)
    }

    private func appendRequest(
        _ record: borrowing ExchangeRecord, _ texts: borrowing ExchangeTexts, to buffer: inout Buffer
    ) {
        if record.head.method.isEmpty {
            // A head that could not be read: what stands in its first line says most.
            buffer.append(",\"request_line\":\"")
            redaction.appendTarget(FieldLookup.startLine(of: texts.head), .json, to: &buffer)
            buffer.append(0x22)
            return
        }
        buffer.append(",\"method\":\"")
        LogText.append(texts.head.part(record.head.method), .json, limit: TextLine.nameLimit, to: &buffer)
        buffer.append("\",\"host\":\"")
        LogText.append(texts.head.part(record.head.authority), .json, limit: TextLine.nameLimit, to: &buffer)
        buffer.append("\",\"path\":\"")
        LogText.append(texts.head.part(record.head.path), .json, to: &buffer)
        if let query = record.head.query {
            buffer.append("\",\"query\":\"")
            redaction.appendQuery(texts.head.part(query), .json, limit: LogText.valueLimit, to: &buffer)
        }
        buffer.append("\",\"protocol\":\"")
        buffer.append(record.head.version)
        buffer.append("\"")
    }

    private func appendUpstream(
        _ record: borrowing ExchangeRecord, _ texts: borrowing ExchangeTexts, to buffer: inout Buffer
    ) {
        buffer.append(",\"upstream\":\"")
        LogText.append(texts.upstream, .json, limit: TextLine.nameLimit, to: &buffer)
        buffer.append(0x22)
        if !texts.endpoint.isEmpty {
            buffer.append(",\"endpoint\":\"")
            LogText.append(texts.endpoint, .json, limit: TextLine.nameLimit, to: &buffer)
            buffer.append(0x22)
        }
        if record.upstreamStatus != 0 {
            buffer.append(",\"upstream_status\":")
            TextLine.appendStatus(record.upstreamStatus, to: &buffer)
        }
        buffer.append(",\"attempts\":")
        buffer.append(decimal: record.attempts)
        buffer.append(record.isReused ? ",\"reused\":true" : ",\"reused\":false")
        if record.queue >= 0 {
            buffer.append(",\"queue_ms\":")
            Self.append(milliseconds: record.queue, to: &buffer)
        }
        if record.connect >= 0 {
            buffer.append(",\"connect_ms\":")
            Self.append(milliseconds: record.connect, to: &buffer)
        }
        if record.firstByte >= 0 {
            buffer.append(",\"first_byte_ms\":")
            Self.append(milliseconds: record.firstByte, to: &buffer)
        }
    }

    private func appendRest(
        _ record: borrowing ExchangeRecord, _ texts: borrowing ExchangeTexts, to buffer: inout Buffer
    ) {
        if record.code != .none {
            buffer.append(",\"reason\":\"")
            buffer.append(record.code.row.name)
            buffer.append(0x22)
        }
        if !texts.identity.isEmpty {
            buffer.append(",\"identity\":\"")
            LogText.append(texts.identity, .json, limit: TextLine.nameLimit, to: &buffer)
            buffer.append(0x22)
        }
        if !record.head.userAgent.isEmpty {
            buffer.append(",\"user_agent\":\"")
            LogText.append(texts.head.part(record.head.userAgent), .json, to: &buffer)
            buffer.append(0x22)
        }
        if !record.head.referer.isEmpty {
            buffer.append(",\"referer\":\"")
            redaction.appendTarget(texts.head.part(record.head.referer), .json, to: &buffer)
            buffer.append(0x22)
        }
    }

    /// Appends nanoseconds as milliseconds with three decimals.
    private static func append(milliseconds nanoseconds: Int64, to buffer: inout Buffer) {
        let microseconds = Int(max(0, nanoseconds)) / 1000
        buffer.append(decimal: microseconds / 1000)
        buffer.append(0x2E)
        TextLine.appendThreeDigits(microseconds % 1000, to: &buffer)
    }
}
