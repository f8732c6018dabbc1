package import Config
internal import Synchronization

/// The outputs of this process: one sink for each, whoever writes to it, and over every reload.
package final class LogSinks: Sendable {

    private let sinks = Mutex<[LogOutput: LogSink]>([:])
    private let journalPath: String

    /// `journalPath` is for tests.
    package init(journalPath: String = LogSink.journalPath) {
        self.journalPath = journalPath
    }

    /// The sink of an output; opened when it is the first time.
    package func sink(for output: LogOutput) throws(LogOutputError) -> LogSink {
        if let sink = sinks.withLock({ $0[output] }) { return sink }
        let new = try LogSink(output, journalPath: journalPath)
        return sinks.withLock { sinks in
            if let sink = sinks[output] { return sink }
            sinks[output] = new
            return new
        }
    }

    /// Keeps the files of these outputs open, and those of all others only while something is written to them.
    package func settle(on outputs: Set<LogOutput>) {
        for sink in all { sink.setRetired(!outputs.contains(sink.output)) }
    }

    /// Opens all files anew (log rotation); returns those that could not be, whose old files go on.
    package func reopen() -> [LogOutputError] {
        var failures: [LogOutputError] = []
        for sink in all {
            do {
                try sink.reopen()
            } catch {
                failures.append(error)
            }
        }
        return failures
    }

    /// Writes everything that was handed over and ends all threads; false when one did not end in time.
    @discardableResult
    package func stop(milliseconds: Int32 = 3_000) -> Bool {
        let sinks = all
        for sink in sinks { sink.queue.stop() }
        return sinks.reduce(true) { $1.stop(milliseconds: milliseconds) && $0 }
    }

    /// Lines that never reached their outputs.
    package var droppedLines: Int { all.reduce(0) { $0 + $1.droppedLines } }

    private var all: [LogSink] { sinks.withLock { Array($0.values) } }
}
