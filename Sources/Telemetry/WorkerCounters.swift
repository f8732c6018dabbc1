package import HTTP

/// What one worker has counted since it began. Plain numbers: nobody else writes them.
package struct WorkerCounters: Sendable, Equatable {
    package var acceptedConnections: Int64 = 0
    /// Connections that were closed at once, because there were too many.
    package var refusedConnections: Int64 = 0
    /// The same by `ConnectionRefusal.Reason`.
    package var refusals = InlineArray<16, Int64>(repeating: 0)
    /// Idle connections that were closed to make room.
    package var shedConnections: Int64 = 0
    /// Times that accepting stopped for a moment because descriptors or memory had run out.
    package var acceptPauses: Int64 = 0
    package var requests: Int64 = 0
    /// Exchanges by the first digit of their status: 1xx to 5xx, and at 0 those without an answer.
    package var statuses = InlineArray<6, Int64>(repeating: 0)
    package var upstreamConnections: Int64 = 0
    package var retries: Int64 = 0
    package var tunnels: Int64 = 0
    /// Times that an upstream sent bytes which belong to no answer.
    package var unexpectedUpstreamBytes: Int64 = 0
    /// Connections that should have begun with a PROXY header and did not.
    package var invalidProxyHeaders: Int64 = 0
    /// TLS handshakes of clients that came to their end; those of them that took up an earlier session; and those that did not.
    package var handshakes: Int64 = 0
    package var resumedHandshakes: Int64 = 0
    package var failedHandshakes: Int64 = 0

    /// Exchanges by the number of their `ErrorCode`: why they were answered by the gateway, or failed.
    package var codes = InlineArray<64, Int64>(repeating: 0)

    package init() {}

    package mutating func note(_ code: ErrorCode) { codes[Int(code.rawValue) & 63] &+= 1 }

    package func count(_ code: ErrorCode) -> Int64 { codes[Int(code.rawValue) & 63] }

    package mutating func note(status: Int) {
        statuses[status >= 100 && status < 600 ? status / 100 : 0] += 1
    }

    package static func + (left: WorkerCounters, right: WorkerCounters) -> WorkerCounters {
        var sum = left
        sum.acceptedConnections += right.acceptedConnections
        sum.refusedConnections += right.refusedConnections
        for index in 0..<16 { sum.refusals[index] += right.refusals[index] }
        sum.shedConnections += right.shedConnections
        sum.acceptPauses += right.acceptPauses
        for index in 0..<64 { sum.codes[index] += right.codes[index] }
        sum.requests += right.requests
        for index in 0..<6 { sum.statuses[index] += right.statuses[index] }
        sum.upstreamConnections += right.upstreamConnections
        sum.retries += right.retries
        sum.tunnels += right.tunnels
        sum.unexpectedUpstreamBytes += right.unexpectedUpstreamBytes
        sum.invalidProxyHeaders += right.invalidProxyHeaders
        sum.handshakes += right.handshakes
        sum.resumedHandshakes += right.resumedHandshakes
        sum.failedHandshakes += right.failedHandshakes
        return sum
    }

    package static func == (left: WorkerCounters, right: WorkerCounters) -> Bool {
        for index in 0..<6 where left.statuses[index] != right.statuses[index] { return false }
        for index in 0..<16 where left.refusals[index] != right.refusals[index] { return false }
        for index in 0..<64 where left.codes[index] != right.codes[index] { return false }
        guard left.handshakes == right.handshakes, left.resumedHandshakes == right.resumedHandshakes,
            left.failedHandshakes == right.failedHandshakes
        else { return false }
        guard left.shedConnections == right.shedConnections, left.acceptPauses == right.acceptPauses else {
            return false
        }
        return left.acceptedConnections == right.acceptedConnections
            && left.refusedConnections == right.refusedConnections
            && left.requests == right.requests
            && left.upstreamConnections == right.upstreamConnections
            && left.retries == right.retries && left.tunnels == right.tunnels
            && left.unexpectedUpstreamBytes == right.unexpectedUpstreamBytes
            && left.invalidProxyHeaders == right.invalidProxyHeaders
    }
}
