package import Config
package import Linux

/// What came of reading a configuration.
package enum LoadOutcome: Sendable {
    case loaded(LoadedConfiguration)
    case rejected(RejectedConfiguration)
}

/// A configuration with errors.
package struct RejectedConfiguration: Sendable {
    /// The errors in a line each, for logs.
    package var errors: [String]
    /// Everything with its source lines and the closing count, for people: what `check` prints.
    package var report: String
    /// `martlet.yaml: 1 error, 0 warnings`.
    package var summary: String
}

package struct LoadedConfiguration: Sendable {
    package var config: GatewayConfig
    /// In a line each.
    package var warnings: [String]
    /// All that was read, so that the same configuration can be had again without the files: for the snapshot.
    package var snapshot: ConfigSnapshot
    /// Files with certificates, keys and OCSP responses, and what was read of them. Holds secrets.
    package var certificateFiles: [String: [UInt8]] = [:]
    /// What there is to say of certificates at a time in Unix seconds, in a line each; nil: there are none.
    package var lapses: (@Sendable (_ now: Int64) -> [String])?
    /// Of files before they were read; empty when they came from a snapshot.
    package var identities: [String: FileIdentity] = [:]
}

/// Where configurations come from.
package protocol ConfigurationLoading: Sendable {
    /// Reads, checks and compiles a file with all that it names.
    func load(path: String) -> LoadOutcome
    /// The configuration that `snapshot` was taken of.
    func load(_ snapshot: ConfigSnapshot) -> LoadOutcome
    /// The same, but for the present content of these files.
    func load(_ snapshot: ConfigSnapshot, rereading paths: Set<String>) -> LoadOutcome
}
