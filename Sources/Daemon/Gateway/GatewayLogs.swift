package import Config

/// The outputs of logs, as far as the life cycle moves them.
package protocol GatewayLogs {
    /// Opens what a configuration wants to write to. Fails without changing anything that runs.
    func prepare(_ config: GatewayConfig) throws
    /// The configuration is in force: its settings hold, and what only others wrote to may be closed.
    func apply(_ config: GatewayConfig)
    /// Opens files anew: somebody moved them away.
    func reopen()
}
