import YAML

/// A timeout that an upstream has and a route may override: one row for both.
struct UpstreamTimeoutRow: Sendable {
    var name: String
    var base: any WritableKeyPath<UpstreamConfig.Timeouts, Duration> & Sendable
    var override: any WritableKeyPath<RouteConfig.TimeoutOverrides, Duration?> & Sendable
    var standard: Duration
    var sentence: String

    static let range: ClosedRange<Duration> = .milliseconds(1)...(.seconds(30 * 86_400))

    static let all: [UpstreamTimeoutRow] = [
        .init(
            name: "connect", base: \.connect, override: \.connect, standard: .seconds(3),
            sentence: "To a connection; then another endpoint is tried."),
        .init(
            name: "response", base: \.response, override: \.response, standard: .seconds(30),
            sentence: "From the last byte of the request sent to the head of the response; then 504."),
        .init(
            name: "body_idle", base: \.bodyIdle, override: \.bodyIdle, standard: .seconds(60),
            sentence: "Between two reads of a response body."),
        .init(
            name: "stream_idle", base: \.streamIdle, override: \.streamIdle, standard: .seconds(3_600),
            sentence: "Without a byte in either direction of a WebSocket, an event stream or another detected stream."),
        .init(
            name: "queue", base: \.queue, override: \.queue, standard: .seconds(5),
            sentence: "Waiting for a connection of a full pool; then 503."),
    ]
    static let total = "The whole exchange; streams are not spared."
}

extension UpstreamConfig.Timeouts: ConfigSection {
    static let title = "timeouts of an upstream"
    static let sentence = "How long the service may take. `defaults: timeouts:` changes the defaults of every upstream."
    static let keys: [ConfigKey<UpstreamConfig.Timeouts>] =
        UpstreamTimeoutRow.all.map { row in
            ConfigKey(row.name, row.base, .duration(UpstreamTimeoutRow.range), default: row.standard, row.sentence)
        } + [
            ConfigKey(
                "total", \.total, .word("off", or: .duration(UpstreamTimeoutRow.range)), default: nil,
                UpstreamTimeoutRow.total)
        ]
}

extension RouteConfig.TimeoutOverrides: ConfigSection {
    static let title = "timeouts of a route"
    static let sentence = "Any timeout of the upstream, for this route alone."
    static let keys: [ConfigKey<RouteConfig.TimeoutOverrides>] =
        UpstreamTimeoutRow.all.map { row in
            ConfigKey(
                row.name, row.override, .duration(UpstreamTimeoutRow.range), otherwise: "the upstream's", row.sentence)
        } + [
            ConfigKey(
                "total", \.total, .duration(UpstreamTimeoutRow.range), otherwise: "the upstream's",
                UpstreamTimeoutRow.total)
        ]

    /// The values of this one, and those of `other` where it has none.
    func filled(from other: Self) -> Self {
        var result = self
        for row in UpstreamTimeoutRow.all where result[keyPath: row.override] == nil {
            result[keyPath: row.override] = other[keyPath: row.override]
        }
        result.total = result.total ?? other.total
        return result
    }

    func apply(to timeouts: inout UpstreamConfig.Timeouts) {
        for row in UpstreamTimeoutRow.all {
            if let value = self[keyPath: row.override] { timeouts[keyPath: row.base] = value }
        }
        timeouts.total = total ?? timeouts.total
    }
}

extension UpstreamConfig.Limits: ConfigSection {
    static let title = "limits of an upstream"
    static let sentence = "How much the service may answer; an answer beyond one of these is not used."
    static let keys: [ConfigKey<UpstreamConfig.Limits>] = [
        ConfigKey(
            "head", \.head, .size(1_024...262_144), default: 64 * 1024,
            "Bytes of a response head; then 502 `response_headers_too_large`."),
        ConfigKey(
            "fields", \.fields, .integer(1...512), default: 256,
            "Header lines of a response; then 502 `response_headers_too_large`."),
        ConfigKey(
            "interim", \.interim, .integer(0...1_000), default: 16,
            "Interim responses (1xx) before the answer; then 502 `too_many_interim_responses`."),
        ConfigKey(
            "trailers", \.trailers, .size(0...262_144), default: 8 * 1024,
            "Bytes of the trailers of a response; then the answer is cut."),
        ConfigKey(
            "trailer_fields", \.trailerFields, .integer(0...1_000), default: 32,
            "Trailers of a response; then the answer is cut."),
        ConfigKey(
            "chunk_line", \.chunkLine, .size(0...16_384), default: 256,
            "Bytes of extensions on one chunk-size line; then the answer is cut."),
        ConfigKey(
            "chunk_extensions", \.chunkExtensions, .size(0...1_048_576), default: 16 * 1024,
            "Bytes of chunk extensions in one response; then the answer is cut."),
    ]
}

extension UpstreamConfig.Pool: ConfigSection {
    static let title = "pool"
    static let sentence = "Connections to the service, counted over all workers of a gateway process."
    static let keys: [ConfigKey<UpstreamConfig.Pool>] = [
        ConfigKey(
            "max_connections", \.maxConnections, .integer(1...1_000_000), default: 1_024, "Connections open at once."),
        ConfigKey(
            "max_idle", \.maxIdle, .integer(0...1_000_000), otherwise: "`max_connections`",
            "Unused connections that are kept."),
        ConfigKey(
            "idle_timeout", \.idleTimeout, .duration(.milliseconds(10)...(.seconds(86_400))), default: .seconds(15),
            "How long an unused connection is kept."),
        ConfigKey(
            "max_age", \.maxAge, .duration(.seconds(1)...(.seconds(30 * 86_400))), default: .seconds(600),
            "A connection older than this is not used again."),
        ConfigKey(
            "max_pending", \.maxPending, .integer(0...1_000_000), default: 1_024,
            "Requests that may wait for a connection; one more is answered 503."),
    ]

    mutating func check(_ reading: SectionReading, _ decoder: ConfigDecoder) {
        if let maxIdle, maxIdle > maxConnections, let place = reading.key("max_idle") {
            decoder.report(at: place, "`max_idle` (\(maxIdle)) is more than `max_connections` (\(maxConnections))")
        }
    }
}

extension UpstreamConfig.Retries: ConfigSection {
    static let title = "retries"
    static let sentence = "Requests that are sent again after something failed: only those that can be repeated safely."
    static let keys: [ConfigKey<UpstreamConfig.Retries>] = [
        ConfigKey("attempts", \.attempts, .integer(0...10), default: 1, "Attempts after the first one."),
        ConfigKey(
            "budget", \.budgetPercent, .percent(0...100), default: 20,
            "Share of the active requests that may be retries."),
    ]
}

/// `balance: { hash: header.X-User }`.
struct HashDraft: ConfigSection {
    var hash: [Variable]?

    static let title = "hash"
    static let sentence = "The same key goes to the same endpoint, as long as that one is usable."
    static let keys: [ConfigKey<HashDraft>] = [
        ConfigKey("hash", \.hash, .oneOrMore(.variable), isRequired: true, "One variable or a list.")
    ]
}

extension ConfigType where Value == UpstreamConfig.Balance {
    static var balance: ConfigType<UpstreamConfig.Balance> {
        let words: [(String, UpstreamConfig.Balance)] = [
            ("round_robin", .roundRobin), ("least_requests", .leastRequests), ("power_of_two", .powerOfTwo),
            ("random", .random),
        ]
        let names = words.map(\.0)
        let section = ConfigType<HashDraft>.section
        let text = ConfigType<UpstreamConfig.Balance>(.words(names), show: { _ in nil }) { text throws(TextFailure) in
            if let found = words.first(where: { $0.0 == text }) { return found.1 }
            if text == "hash" { throw TextFailure("`hash` needs its key", help: "write { hash: client_ip }") }
            throw TextFailure.word(text, among: names)
        }
        return ConfigType<UpstreamConfig.Balance>(
            .either([.words(names), section.shape]), show: { value in words.first { $0.1 == value }?.0 },
            read: { node, decoder in
                guard case .mapping = node.content else { return text.read(node, decoder) }
                return section.read(node, decoder).map { .hash($0.hash ?? []) }
            })
    }
}
