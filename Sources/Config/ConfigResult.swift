import YAML

/// What came of a load.
package struct ConfigResult: Sendable {
    /// Nil when any problem is an error.
    package var config: GatewayConfig?
    /// What was read without an error, for checks of the whole that go on beside other problems.
    package var sound: GatewayConfig
    /// In the order of files, lines and columns.
    package var problems: [Problem]
    /// Everything that was read, to load the same again.
    package var record: ConfigRecord
    /// Configuration files in the order in which they were read.
    package var files: [String]
    /// What was read of certificates, keys and OCSP responses, by path. Holds secrets.
    package var certificateFiles: [String: [UInt8]]
    /// What these held.
    package var certificates: [LoadedCertificates]

    package var hasErrors: Bool { problems.contains { $0.severity == .error } }

    /// The problems as people read them, each with its source line.
    package func report() -> String { report(problems) }

    /// The same for problems that a later step found in this configuration.
    package func report(_ problems: [Problem]) -> String {
        var lines: [String: SourceLines] = [:]
        for file in files { lines[file] = record.files[file].map { SourceLines($0) } }
        return Problem.sorted(problems, files: files).map { problem in
            problem.render { file, line in lines[file]?[line] }
        }.joined()
    }
}
