package import Config

/// What came of reading a configuration.
package enum LoadOutcome: Sendable {
    case loaded(LoadedConfiguration)
    /// Every problem as people read it, one text each.
    case rejected(problems: [String])
}

package struct LoadedConfiguration: Sendable {
    package var config: GatewayConfig
    /// As people read them.
    package var warnings: [String]
    /// All that was read, so that the same configuration can be had again without the files: for the snapshot.
    package var snapshot: ConfigSnapshot
}

/// Where configurations come from.
package protocol ConfigurationLoading: Sendable {
    /// Reads, checks and compiles a file with all that it names.
    func load(path: String) -> LoadOutcome
    /// The configuration that `snapshot` was taken of.
    func load(_ snapshot: ConfigSnapshot) -> LoadOutcome
}
