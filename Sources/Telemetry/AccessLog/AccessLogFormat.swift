package import Config
package import Containers

/// How an exchange is written to the access log: compiled once, then one line per exchange without an allocation.
package struct AccessLogFormat: Sendable {
    private enum Kind { case json, common, combined, pattern }

    /// Bytes that a line of a fixed format has at most.
    static let lineLimit = 16_384

    private let kind: Kind
    private let pattern: AccessLogPattern
    let redaction: Redaction

    /// Compiles a format. `process` is what `%P` prints.
    package init(_ format: AccessLogConfig.Format, redaction: Redaction = Redaction(), process: Int32 = 0) {
        self.redaction = redaction
        switch format {
        case .json: (kind, pattern) = (.json, AccessLogPattern("", process: process))
        case .common: (kind, pattern) = (.common, AccessLogPattern("", process: process))
        case .combined: (kind, pattern) = (.combined, AccessLogPattern("", process: process))
        case .pattern(let text): (kind, pattern) = (.pattern, AccessLogPattern(text, process: process))
        }
    }

    /// Whether `ExchangeTexts.responseHead` is looked at; if not, nobody needs to keep it.
    package var needsResponseFields: Bool { pattern.needsResponseFields }

    /// Appends the line of one exchange with its line end. False, and nothing appended, when there may not be room for
    /// it.
    package func append(
        _ record: borrowing ExchangeRecord, _ texts: borrowing ExchangeTexts, clock: inout LogClock,
        to buffer: inout Buffer
    ) -> Bool {
        switch kind {
        case .json:
            guard buffer.tailroom >= Self.lineLimit else { return false }
            appendJSON(record, texts, clock: &clock, to: &buffer)
        case .common, .combined:
            guard buffer.tailroom >= Self.lineLimit else { return false }
            appendCommon(record, texts, clock: &clock, to: &buffer)
            if case .combined = kind { appendCombined(record, texts, to: &buffer) }
        case .pattern:
            let count = buffer.count
            guard pattern.append(record, texts, redaction, clock: &clock, to: &buffer) else {
                buffer.keepFirst(count)
                return false
            }
        }
        buffer.append(0x0A)
        return true
    }
}
