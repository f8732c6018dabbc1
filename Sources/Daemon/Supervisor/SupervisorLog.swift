import Config
import Linux
import Telemetry

/// The supervisor's few words on standard error, in lines like those of the gateway's log. It writes them itself and at
/// once: it has no thread for it, and no log file of its own.
struct SupervisorLog {
    /// What the gateway said at last that the configuration wants; the output stays standard error.
    var config = LogConfig()

    func write(_ level: LogConfig.Level, _ text: String) {
        guard let line = ApplicationLog.line(level, "supervisor: \(text)", under: config, time: Clock.wall) else {
            return
        }
        FileAccess.printError(String(decoding: line, as: UTF8.self))
    }
}
