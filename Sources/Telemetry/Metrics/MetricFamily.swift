/// What the gateway counts and measures, as it is published: the one table of names, kinds and meanings.
///
/// Labels come from the configuration and from tables of the code, never from a client's bytes, so that the number of series is
/// bounded by the configuration.
package struct MetricFamily: Sendable, Equatable {
    package enum Kind: String, Sendable { case counter, gauge }

    /// Without the `_total` that counters end with.
    package let name: String
    package let kind: Kind
    package let help: String
    /// Names of the labels, in their order.
    package let labels: [String]

    init(_ kind: Kind, _ name: String, labels: [String] = [], _ help: String) {
        self.name = "martlet_\(name)"
        self.kind = kind
        self.help = help
        self.labels = labels
    }

    package static let build = MetricFamily(.gauge, "build_info", labels: ["version"], "1, with the version that runs.")
    package static let workers = MetricFamily(.gauge, "workers", "Worker threads.")
    package static let generation = MetricFamily(
        .gauge, "config_generation",
        "Counts the configurations that were put in force, over restarts of the gateway process.")
    package static let reloadSucceeded = MetricFamily(
        .gauge, "config_last_reload_successful",
        "1 if the last reload put its configuration in force, 0 if it was refused.")
    package static let reloadTime = MetricFamily(
        .gauge, "config_last_reload_success_timestamp_seconds",
        "When a start or a reload last put a configuration in force.")

    package static let connectionsOpen = MetricFamily(.gauge, "client_connections_open", "Connections of clients.")
    package static let connections = MetricFamily(
        .counter, "client_connections", "Connections of clients that were accepted.")
    package static let refusals = MetricFamily(
        .counter, "client_connections_refused", labels: ["reason"],
        "Connections of clients that were closed without a request that the access log shows.")
    package static let shed = MetricFamily(
        .counter, "client_connections_shed", "Idle connections of clients that were closed to make room.")
    package static let acceptPauses = MetricFamily(
        .counter, "accept_pauses",
        "Times that accepting stopped for a moment because descriptors or memory had run out.")
    package static let proxyHeaders = MetricFamily(
        .counter, "proxy_headers_invalid", "Connections that should have begun with a PROXY header and did not.")

    package static let requests = MetricFamily(.counter, "requests", "Requests whose heads were read.")
    package static let responses = MetricFamily(
        .counter, "responses", labels: ["class"], "Exchanges by the class of their status; `none` got no answer.")
    package static let errors = MetricFamily(
        .counter, "errors", labels: ["code"],
        "Exchanges that the gateway answered itself, or that failed, by error code.")
    package static let tunnels = MetricFamily(.counter, "tunnels", "WebSockets and other tunnels that began.")

    package static let upstreamConnectionsOpen = MetricFamily(
        .gauge, "upstream_connections_open", "Connections to upstreams, busy and idle.")
    package static let upstreamConnections = MetricFamily(
        .counter, "upstream_connections", "Connections to upstreams that were begun.")
    package static let retries = MetricFamily(.counter, "upstream_retries", "Requests that were sent once more.")
    package static let unexpectedBytes = MetricFamily(
        .counter, "upstream_unexpected_bytes", "Times that an upstream sent bytes which belong to no answer.")

    package static let handshakes = MetricFamily(
        .counter, "tls_handshakes", labels: ["result"], "TLS handshakes of clients: `full`, `resumed` or `failed`.")
    package static let certificates = MetricFamily(
        .gauge, "tls_certificate_not_after_timestamp_seconds", labels: ["listener", "file"],
        "When a listener's certificate expires.")

    package static let http2ConnectionsOpen = MetricFamily(
        .gauge, "http2_connections_open", labels: ["side"], "Connections in HTTP/2, of clients and to upstreams.")
    package static let http2StreamsOpen = MetricFamily(
        .gauge, "http2_streams_open", labels: ["side"], "Streams that the gateway has not closed.")
    package static let http2Streams = MetricFamily(
        .counter, "http2_streams", labels: ["side"], "Streams that were opened.")
    package static let http2StreamsRefused = MetricFamily(
        .counter, "http2_streams_refused", labels: ["side"], "Streams beyond `http2.streams`.")
    package static let http2StreamsReset = MetricFamily(
        .counter, "http2_streams_reset", labels: ["side"], "Streams that the peer reset.")
    package static let http2StreamsMalformed = MetricFamily(
        .counter, "http2_streams_malformed", labels: ["side"], "Streams whose messages broke a rule.")
    package static let http2Ended = MetricFamily(
        .counter, "http2_connections_ended", labels: ["side", "reason"],
        "Connections that were ended for what the peer did. Limits of `http2` have their keys' names.")

    /// All, in the order in which they are published.
    package static let all: [MetricFamily] = [
        build, workers, generation, reloadSucceeded, reloadTime,
        connectionsOpen, connections, refusals, shed, acceptPauses, proxyHeaders,
        requests, responses, errors, tunnels,
        upstreamConnectionsOpen, upstreamConnections, retries, unexpectedBytes,
        handshakes, certificates,
        http2ConnectionsOpen, http2StreamsOpen, http2Streams, http2StreamsRefused, http2StreamsReset,
        http2StreamsMalformed, http2Ended,
    ]

    /// All as a table.
    package static var markdown: String {
        let rows = all.map { family in
            let name = family.kind == .counter ? "\(family.name)_total" : family.name
            let labels = family.labels.map { "`\($0)`" }.joined(separator: ", ")
            return "| `\(name)` | \(family.kind.rawValue) | \(labels) | \(family.help) |\n"
        }
        return "| name | kind | labels | meaning |\n|---|---|---|---|\n" + rows.joined()
    }
}
