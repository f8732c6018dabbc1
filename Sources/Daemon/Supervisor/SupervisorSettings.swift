package import Config

/// What a configuration asks of the supervisor itself.
package struct SupervisorSettings: Sendable, Equatable {
    /// Form and level of its own lines.
    package var format = LogConfig.Format.text
    package var level = LogConfig.Level.info
    /// Nanoseconds without a turn after which a worker hangs; nil: nobody looks.
    package var hangTimeout: Int64?
    /// Nanoseconds from the wish to stop until the last request is cut.
    package var drainTime: Int64 = 0

    package init() {}

    package init(_ config: GatewayConfig) {
        format = config.log.format
        level = config.log.level
        hangTimeout = config.hangTimeout?.nanoseconds
        drainTime = (config.drainDelay + config.drainTimeout).nanoseconds
    }
}

extension MessageWriter {
    mutating func write(_ settings: SupervisorSettings) {
        write(settings.format.rawValue)
        write(settings.level.rawValue)
        // 0 is no time that can be configured.
        write(UInt64(clamping: settings.hangTimeout ?? 0))
        write(UInt64(clamping: settings.drainTime))
    }
}

extension MessageReader {
    mutating func supervisorSettings() throws(MalformedMessage) -> SupervisorSettings {
        var settings = SupervisorSettings()
        guard let format = LogConfig.Format(rawValue: try text()), let level = LogConfig.Level(rawValue: try text()),
            let hangTimeout = Int64(exactly: try number64()), let drainTime = Int64(exactly: try number64())
        else { throw MalformedMessage() }
        settings.format = format
        settings.level = level
        settings.hangTimeout = hangTimeout > 0 ? hangTimeout : nil
        settings.drainTime = drainTime
        return settings
    }
}
