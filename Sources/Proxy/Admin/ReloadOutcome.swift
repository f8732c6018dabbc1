/// How a reload ended.
package struct ReloadOutcome: Sendable, Equatable {
    package var succeeded = false
    /// Of the configuration that is in force afterwards.
    package var generation: UInt64 = 0
    /// Unix seconds.
    package var time: Int64 = 0
    package var milliseconds: Int64 = 0
    /// What is wrong, as `martlet check` says it; when nothing is, warnings. Ends with a line's end unless empty.
    package var report = ""
    /// Keys whose new values wait for a restart.
    package var restart: [String] = []

    package init() {}
}
