package import Config
internal import Linux
package import Logging
internal import Synchronization

/// The log of the daemon itself: where swift-log's loggers write, changeable at reload.
///
/// Writing an entry never waits: it goes to the output's own thread, and is dropped and counted when that cannot keep
/// up.
package final class ApplicationLog: Sendable {
    private struct Settings: Sendable {
        var format: LogConfig.Format
        var sink: LogSink?
    }

    private let settings: Mutex<Settings>
    private let level: Atomic<UInt8>

    /// A log that goes nowhere until it is configured.
    package init() {
        settings = Mutex(Settings(format: .text, sink: nil))
        level = Atomic(Self.rank(.info))
    }

    /// Takes over a configuration. Throws, and changes nothing, when its output cannot be opened.
    package func configure(_ config: LogConfig, _ sinks: LogSinks) throws(LogOutputError) {
        let sink = try sinks.sink(for: config.output)
        settings.withLock { $0 = Settings(format: config.format, sink: sink) }
        level.store(Self.rank(config.level), ordering: .relaxed)
    }

    /// The factory for `LoggingSystem.bootstrap`.
    package func handler(label: String) -> any LogHandler {
        ApplicationLogHandler(log: self, label: label)
    }

    /// A logger that writes here, without the process-wide bootstrap.
    package func logger(label: String) -> Logger {
        Logger(label: label) { self.handler(label: $0) }
    }

    fileprivate var loggerLevel: Logger.Level {
        switch level.load(ordering: .relaxed) {
        case 0: .debug
        case 1: .info
        case 2: .warning
        default: .error
        }
    }

    private static func rank(_ level: LogConfig.Level) -> UInt8 {
        switch level {
        case .debug: 0
        case .info: 1
        case .warning: 2
        case .error: 3
        }
    }

    fileprivate func write(_ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata) {
        let settings = settings.withLock { $0 }
        guard let sink = settings.sink else { return }
        let values = metadata.map { (key: $0.key, value: $0.value.description) }.sorted { $0.key < $1.key }
        let entry = ApplicationLogEntry(
            level: Self.name(level), message: message, values: values, time: Clock.wall)
        var buffer = LogEntryBuffer(framing: sink.framing)
        switch sink.framing {
        case .journal: entry.appendFields(to: &buffer.bytes)
        case .lines: entry.appendLine(settings.format, to: &buffer.bytes)
        }
        sink.write(buffer, priority: Self.priority(level))
    }

    /// One entry as a line of its own, for a process without sinks; nil: the level is below the configured one.
    package static func line(
        _ level: LogConfig.Level, _ message: String, under config: LogConfig, time: (seconds: Int64, nanoseconds: Int64)
    ) -> [UInt8]? {
        guard rank(level) >= rank(config.level) else { return nil }
        let entry = ApplicationLogEntry(level: level.rawValue, message: message, values: [], time: time)
        var bytes: [UInt8] = []
        entry.appendLine(config.format, to: &bytes)
        bytes.append(0x0A)
        return bytes
    }

    private static func name(_ level: Logger.Level) -> String {
        switch level {
        case .trace, .debug: "debug"
        case .info, .notice: "info"
        case .warning: "warning"
        case .error, .critical: "error"
        }
    }

    /// The priorities of syslog (RFC 5424 section 6.2.1).
    private static func priority(_ level: Logger.Level) -> Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }
}

private struct ApplicationLogHandler: LogHandler {
    let log: ApplicationLog
    let label: String
    var metadata: Logger.Metadata = [:]
    /// Set by code that wants its own; else the configured level, also after a reload.
    private var ownLevel: Logger.Level?

    init(log: ApplicationLog, label: String) {
        self.log = log
        self.label = label
    }

    var logLevel: Logger.Level {
        get { ownLevel ?? log.loggerLevel }
        set { ownLevel = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var all = metadata
        if let given = event.metadata { all.merge(given) { $1 } }
        if let error = event.error { all["error"] = "\(error)" }
        log.write(event.level, event.message.description, all)
    }
}
