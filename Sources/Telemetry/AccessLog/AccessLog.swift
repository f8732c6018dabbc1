package import Config
internal import Linux
internal import Synchronization

/// The access logs of this process over all its configurations.
///
/// Each that was ever configured has a number which never changes, so that an exchange that began under an old
/// configuration still finds its log. Outputs are shared with `LogSinks`' other users.
package final class AccessLog: Sendable {
    private struct Entry: Sendable {
        let config: AccessLogConfig
        let redaction: Redaction
        let format: AccessLogFormat
        let sink: LogSink
    }

    private let sinks: LogSinks
    private let entries = Mutex<[Entry]>([])

    package init(_ sinks: LogSinks) {
        self.sinks = sinks
    }

    /// Opens what `config` names and numbers it. Throws when an output cannot be opened; nothing that runs changes by
    /// that.
    package func numbers(for config: GatewayConfig) throws(LogOutputError) -> LogLaneNumbers {
        let redaction = Self.redaction(config)
        var numbers = LogLaneNumbers()
        if let standard = config.accessLog { numbers.standard = try number(of: standard, redaction) }
        for route in config.routes {
            guard case .own(let own) = route.accessLog, numbers.own.allSatisfy({ $0.config != own }) else { continue }
            numbers.own.append((own, try number(of: own, redaction)))
        }
        return numbers
    }

    /// The outputs that `config`'s access logs need: for `LogSinks.settle`, once it is the one that runs.
    package static func outputs(of config: GatewayConfig) -> Set<LogOutput> {
        var outputs: Set<LogOutput> = []
        if let standard = config.accessLog { outputs.insert(standard.output) }
        for route in config.routes {
            if case .own(let own) = route.accessLog { outputs.insert(own.output) }
        }
        return outputs
    }

    /// Where keys are taken from must not be written down.
    private static func redaction(_ config: GatewayConfig) -> Redaction {
        var fields: Set<String> = []
        var parameters: Set<String> = []
        for middleware in config.middleware {
            guard case .apiKey(let key) = middleware.kind else { continue }
            switch key.source {
            case .header(let name): fields.insert(name)
            case .query(let name): parameters.insert(name)
            }
        }
        return Redaction(fields: fields.sorted(), parameters: parameters.sorted())
    }

    private func number(of config: AccessLogConfig, _ redaction: Redaction) throws(LogOutputError) -> Int {
        let sink = try sinks.sink(for: config.output)
        return entries.withLock { entries in
            if let number = entries.firstIndex(where: { $0.config == config && $0.redaction == redaction }) {
                return number
            }
            let format = AccessLogFormat(config.format, redaction: redaction, process: Process.id)
            entries.append(Entry(config: config, redaction: redaction, format: format, sink: sink))
            return entries.count - 1
        }
    }

    func lane(_ number: Int) -> LogLane? {
        entries.withLock { entries in
            entries.indices.contains(number) ? LogLane(entries[number].sink, entries[number].format) : nil
        }
    }
}

/// Numbers of the access logs of one configuration.
package struct LogLaneNumbers: Sendable {
    fileprivate(set) var standard = -1
    fileprivate(set) var own: [(config: AccessLogConfig, number: Int)] = []

    /// No logs at all.
    package init() {}

    /// The number for a route; `.inherit` also for requests that no route saw. -1: nothing is written.
    package func number(of policy: RouteConfig.AccessLogPolicy) -> Int {
        switch policy {
        case .inherit: standard
        case .off: -1
        case .own(let config): own.first { $0.config == config }?.number ?? -1
        }
    }
}
