package import Config
package import Linux
internal import Synchronization

/// One output of logs with the thread that writes it. When the last reference goes, the thread writes what is left and
/// ends.
package final class LogSink: Sendable {
    /// Where journald listens.
    package static let journalPath = "/run/systemd/journal/socket"
    private static let stack = 256 * 1024

    package let output: LogOutput
    let queue: LogQueue
    private let journalPath: String

    /// Opens the output and starts its thread.
    package init(_ output: LogOutput, journalPath: String = LogSink.journalPath) throws(LogOutputError) {
        self.output = output
        self.journalPath = journalPath
        do {
            let file = try Self.open(output, journalPath)
            queue = try LogQueue(framing: output == .journald ? .journal : .lines, file: file)
            try Thread.detach(name: "martlet-log", stack: Self.stack) { [queue] in
                var writer = LogWriter(queue) { Self.reopened(output, journalPath) }
                writer.run()
            }
        } catch {
            throw LogOutputError(output: output, reason: error)
        }
    }

    deinit {
        queue.stop()
    }

    private static func open(_ output: LogOutput, _ journalPath: String) throws(Errno) -> LogFile {
        switch output {
        case .stdout: try LogFile.duplicate(of: 1)
        case .stderr: try LogFile.duplicate(of: 2)
        case .journald: try LogFile.datagrams(to: journalPath)
        case .file(let path): try LogFile.open(path: path)
        }
    }

    private static func reopened(_ output: LogOutput, _ journalPath: String) -> LogFile? {
        do {
            return try open(output, journalPath)
        } catch {
            return nil
        }
    }

    /// Opens a file anew, after it was renamed or removed (log rotation). What waits is written to one of the two; no
    /// line is lost or cut. When the file cannot be opened, the old one goes on. Nothing to do for other outputs.
    package func reopen() throws(LogOutputError) {
        guard case .file = output else { return }
        do {
            queue.replaceFile(try Self.open(output, journalPath))
        } catch {
            throw LogOutputError(output: output, reason: error)
        }
    }

    /// Lines that never reached the output: the queue was full, or writing failed.
    package var droppedLines: Int { queue.droppedLines.load(ordering: .relaxed) }
    /// Lines that the kernel took.
    package var writtenLines: Int { queue.writtenLines.load(ordering: .relaxed) }

    /// Closes the file while nothing is written to it, because no configuration names it (or takes that back).
    func setRetired(_ isRetired: Bool) { queue.setRetired(isRetired) }

    /// Writes what has been handed over and ends the thread; false when that takes longer than `milliseconds` (what the
    /// output does not take within a second is dropped). Lines that come afterwards are dropped.
    @discardableResult
    package func stop(milliseconds: Int32 = 3_000) -> Bool {
        queue.stop()
        return queue.waitUntilFinished(milliseconds: milliseconds)
    }

    /// How entries must look.
    var framing: LogFraming { queue.framing }

    /// Writes one entry: for logs that are not on the path of requests. `priority` as in syslog.
    func write(_ entry: LogEntryBuffer, priority: Int) {
        guard let chunk = queue.takeChunk() else {
            queue.drop(1)
            return
        }
        chunk.content.withLock { content in
            entry.copy(priority: priority, to: &content.buffer)
            content.lines = 1
        }
        queue.submit(chunk)
    }
}

/// Why an output could not be opened.
package struct LogOutputError: Error, Equatable, Sendable {
    package let output: LogOutput
    package let reason: Errno
}

extension LogOutputError: CustomStringConvertible {
    package var description: String {
        switch output {
        case .stdout: "the log cannot be written to standard output: \(reason)"
        case .stderr: "the log cannot be written to standard error: \(reason)"
        case .journald: "the log cannot be written to journald: \(reason)"
        case .file(let path): "the log file \(path) cannot be opened: \(reason)"
        }
    }
}
