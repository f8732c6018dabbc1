import HTTP
import HTTP2
import Telemetry

/// Which figure is which family.
extension MetricsText {
    mutating func append(_ facts: MetricsDesk.Facts, workers: Int) {
        begin(.build)
        sample(1, [facts.version])
        add(.workers, Int64(workers))
        add(.generation, Int64(clamping: facts.generation))
        add(.reloadSucceeded, facts.reloadSucceeded ? 1 : 0)
        add(.reloadTime, facts.reloadTime)
    }

    mutating func append(_ report: WorkerReport) {
        let counters = report.counters
        add(.connectionsOpen, report.clientConnections)
        add(.connections, counters.acceptedConnections)
        begin(.refusals)
        for reason in ConnectionRefusal.Reason.allCases where reason.isConnection {
            sample(counters.refusals[reason.rawValue], [Self.label(reason)])
        }
        add(.shed, counters.shedConnections)
        add(.acceptPauses, counters.acceptPauses)
        add(.proxyHeaders, counters.invalidProxyHeaders)
        add(.requests, counters.requests)
        begin(.responses)
        for digit in 1...5 { sample(counters.statuses[digit], ["\(digit)xx"]) }
        sample(counters.statuses[0], ["none"])
        begin(.errors)
        for code in ErrorCode.allCases where code != .none { sample(counters.count(code), ["\(code.row.name)"]) }
        add(.tunnels, counters.tunnels)
        add(.upstreamConnectionsOpen, report.upstreamConnections)
        add(.upstreamConnections, counters.upstreamConnections)
        add(.retries, counters.retries)
        add(.unexpectedBytes, counters.unexpectedUpstreamBytes)
        begin(.handshakes)
        sample(counters.handshakes &- counters.resumedHandshakes, ["full"])
        sample(counters.resumedHandshakes, ["resumed"])
        sample(counters.failedHandshakes, ["failed"])
        appendHTTP2([("client", report.http2Clients), ("upstream", report.http2Upstreams)])
    }

    private mutating func appendHTTP2(_ sides: [(name: String, counters: MultiplexerCounters)]) {
        let families: [(MetricFamily, KeyPath<MultiplexerCounters, Int64>)] = [
            (.http2ConnectionsOpen, \.openConnections), (.http2StreamsOpen, \.openStreams), (.http2Streams, \.streams),
            (.http2StreamsRefused, \.refusedStreams), (.http2StreamsReset, \.resets),
            (.http2StreamsMalformed, \.malformed),
        ]
        for (family, figure) in families {
            begin(family)
            for side in sides { sample(side.counters[keyPath: figure], [side.name]) }
        }
        begin(.http2Ended)
        for side in sides {
            for reason in FailureReason.allCases {
                sample(side.counters.failures[reason] ?? 0, [side.name, Self.label(reason)])
            }
        }
    }

    mutating func append(_ certificates: [CertificateFact]) {
        begin(.certificates)
        for certificate in certificates { sample(certificate.notAfter, [certificate.listener, certificate.file]) }
    }

    /// `rapidResets` as the configuration writes names: `rapid_resets`.
    private static func label(_ reason: some Any) -> String {
        "\(reason)".reduce(into: "") { text, letter in
            if letter.isUppercase { text += "_" }
            text += letter.lowercased()
        }
    }
}
