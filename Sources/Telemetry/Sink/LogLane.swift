internal import Containers
internal import Synchronization

/// One worker's way to one access log: collects lines and hands them over in large pieces.
struct LogLane {
    /// A chunk with less room than a line may need is full.
    private static let room = AccessLogFormat.lineLimit + 256
    /// How long a line waits for others.
    static let longestWait: Int64 = 200_000_000

    private let queue: LogQueue
    let format: AccessLogFormat
    private var chunk: LogChunk?
    private var lines = 0
    private var clock = LogClock()
    /// When the lines that wait are handed over.
    private(set) var deadline = Instant.never

    init(_ sink: LogSink, _ format: AccessLogFormat) {
        queue = sink.queue
        self.format = format
    }

    mutating func append(
        _ record: ExchangeRecord, _ texts: borrowing ExchangeTexts, now: Instant
    ) {
        // Once more with an empty chunk, when this one is full.
        for _ in 0..<2 {
            if chunk == nil { chunk = queue.takeChunk() }
            guard let chunk else { break }
            let isAppended = chunk.content.withLock { content in
                appendEntry(record, texts, to: &content.buffer)
            }
            if isAppended {
                lines &+= 1
                if deadline == .never { deadline = now.advanced(by: Self.longestWait) }
                return
            }
            guard lines > 0 else { break }
            flush()
        }
        queue.drop(1)
    }

    private mutating func appendEntry(
        _ record: borrowing ExchangeRecord, _ texts: borrowing ExchangeTexts, to buffer: inout Buffer
    ) -> Bool {
        switch queue.framing {
        case .lines:
            return format.append(record, texts, clock: &clock, to: &buffer)
        case .journal:
            guard buffer.tailroom >= Self.room else { return false }
            let count = buffer.count
            let start = LogFraming.beginEntry(priority: 6, &buffer)
            buffer.append("MESSAGE=")
            guard format.append(record, texts, clock: &clock, to: &buffer) else {
                buffer.keepFirst(count)
                return false
            }
            LogFraming.endEntry(from: start, &buffer)
            return true
        }
    }

    /// Hands over what waits for too long now.
    mutating func endTurn(now: Instant) {
        guard deadline <= now else { return }
        if queue.isBusy {
            // The writer has not come to the last chunk yet: a short one more would only use up the queue.
            deadline = now.advanced(by: Self.longestWait)
        } else {
            flush()
        }
    }

    /// Hands over what there is.
    mutating func flush() {
        guard lines > 0, let full = chunk.take() else { return }
        full.content.withLock { $0.lines = lines }
        lines = 0
        deadline = .never
        queue.submit(full)
    }
}
