import Containers
import Telemetry

extension Exchange {
    /// What its log line says.
    func record(now: Instant) -> ExchangeRecord {
        var record = ExchangeRecord()
        record.startSeconds = startedWall
        record.startNanoseconds = startedWallNanoseconds
        record.total = now.since(startedAt)
        record.queue = Self.span(from: queuedAt, to: connectingAt)
        record.connect = Self.span(from: connectingAt, to: connectedAt)
        record.firstByte = Self.span(from: startedAt, to: firstByteAt)
        record.status = status
        record.code = code
        record.bodyReceived = requestContentBytes
        record.bodySent = responseContentBytes
        record.totalReceived = headBytes &+ requestContentBytes
        record.totalSent = sentBytes
        record.upstreamStatus = upstreamStatus
        record.attempts = attempts
        record.isReused = isReused
        record.client = client
        record.clientPort = clientPort
        record.head = logged
        return record
    }

    /// Nanoseconds between two instants, -1 when one of them never came.
    private static func span(from: Instant, to: Instant) -> Int64 {
        from == .never || to == .never ? -1 : to.since(from)
    }
}
