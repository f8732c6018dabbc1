import Containers
package import Telemetry

/// What one worker has counted and holds, at one moment.
package struct WorkerReport: Sendable {
    package var counters = WorkerCounters()
    /// Without streams, which are no connections.
    package var clientConnections: Int64 = 0
    package var upstreamConnections: Int64 = 0
    package var http2Clients = MultiplexerCounters()
    package var http2Upstreams = MultiplexerCounters()

    static func + (left: WorkerReport, right: WorkerReport) -> WorkerReport {
        var sum = left
        sum.counters = left.counters + right.counters
        sum.clientConnections += right.clientConnections
        sum.upstreamConnections += right.upstreamConnections
        sum.http2Clients.add(right.http2Clients)
        sum.http2Upstreams.add(right.http2Upstreams)
        return sum
    }
}

extension Worker where Driver: ~Copyable {
    /// Costs a look at each open session, and nothing while nobody asks.
    mutating func report() -> WorkerReport {
        var report = WorkerReport()
        report.counters = counters
        for index in downstreams.indices {
            guard let key = downstreams.key(at: index), downstreams[key].connection == .none else { continue }
            report.clientConnections += 1
        }
        for index in sessions.indices {
            guard let key = sessions.key(at: index), sessions[key].connection == .none else { continue }
            report.upstreamConnections += 1
        }
        (report.http2Clients, report.http2Upstreams) = driver.counted()
        return report
    }
}
