package import Config
import Logging
import Telemetry

/// The logs that ship, as the life cycle sees them.
package final class TelemetryLogs: GatewayLogs {
    let sinks = LogSinks()
    private let application = ApplicationLog()

    package init() {}

    /// Where the daemon itself writes, under the settings that are in force.
    var logger: Logger { application.logger(label: "martlet") }

    package func prepare(_ config: GatewayConfig) throws {
        _ = try sinks.sink(for: config.log.output)
    }

    package func apply(_ config: GatewayConfig) {
        do {
            try application.configure(config.log, sinks)
        } catch {
            // It was opened by `prepare`, and sinks stay open: the old settings go on if it is gone all the same.
            logger.error("log: \(error)")
        }
        sinks.settle(on: AccessLog.outputs(of: config).union([config.log.output]))
    }

    package func reopen() {
        for failure in sinks.reopen() { logger.error("log: \(failure)") }
        logger.info("log files were opened anew")
    }

    /// Writes out everything that waits.
    func stop() { _ = sinks.stop() }
}
