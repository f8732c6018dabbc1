import Config
import Containers
import Linux
import Telemetry

/// The supervisor's few words on standard error, in lines like those of the gateway's log. It writes them itself and at
/// once: it has no thread for it, and no log file of its own. What cannot be written in time is dropped: who waits for a
/// pipe that nobody reads starts no gateway.
struct SupervisorLog {
    /// How long a line may wait for a full pipe.
    private static let patience: Int32 = 50

    /// What the gateway said at last that the configuration wants; the output stays standard error.
    var settings = SupervisorSettings()

    func write(_ level: LogConfig.Level, _ text: String) {
        var config = LogConfig()
        config.format = settings.format
        config.level = settings.level
        guard let line = ApplicationLog.line(level, "supervisor: \(text)", under: config, time: Clock.wall) else {
            return
        }
        var buffer = Buffer(capacity: line.count)
        for byte in line { buffer.append(byte) }
        do throws(Errno) {
            let output = try LogFile.duplicate(of: 2)
            while !buffer.isEmpty {
                guard case .bytes(let count) = output.write(buffer, limit: buffer.count, milliseconds: Self.patience)
                else { return }
                buffer.dropFirst(count)
            }
        } catch {
            // Without standard error there is nobody to tell.
            return
        }
    }
}
