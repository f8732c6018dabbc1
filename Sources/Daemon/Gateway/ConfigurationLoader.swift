package import Config
import Linux
package import Middleware
import Proxy
import Routing
import Synchronization

/// Loads configurations from files, and again from what the first load had recorded.
package struct ConfigurationLoader: ConfigurationLoading {
    private let customKinds: [CustomKind]
    private let kinds: MiddlewareKinds

    /// - Parameter kinds: middleware beside the built-in kinds.
    package init(kinds: MiddlewareKinds = MiddlewareKinds()) {
        customKinds = kinds.customKinds
        self.kinds = kinds
    }

    package func load(path: String) -> LoadOutcome {
        let notes = FileNotes()
        let outcome = outcome(of: inspect(path: path, files: notes.files))
        guard case .loaded(var loaded) = outcome else { return outcome }
        loaded.identities = notes.identities
        return .loaded(loaded)
    }

    package func load(_ snapshot: ConfigSnapshot) -> LoadOutcome { load(snapshot, rereading: []) }

    package func load(_ snapshot: ConfigSnapshot, rereading paths: Set<String>) -> LoadOutcome {
        guard let record = ConfigRecord(decoding: snapshot.record) else {
            let text = "the stored configuration cannot be read"
            return .rejected(RejectedConfiguration(errors: [text], report: text + "\n", summary: text))
        }
        return outcome(
            of: checked(
                ConfigLoader.load(
                    record: record, rereading: paths, customKinds: customKinds, now: Clock.wall.seconds)))
    }

    /// Everything that can be said of a file, valid or not.
    package func inspect(path: String) -> ConfigResult { inspect(path: path, files: .disk) }

    private func inspect(path: String, files: ConfigFiles) -> ConfigResult {
        checked(
            ConfigLoader.load(
                path: path, environment: Process.environment,
                credentialsDirectory: Process.environment("CREDENTIALS_DIRECTORY"), files: files,
                customKinds: customKinds, now: Clock.wall.seconds))
    }

    /// The same for a text that stands in no file.
    package func inspect(text: String, name: String) -> ConfigResult {
        checked(ConfigLoader.load(text: text, name: name, customKinds: customKinds))
    }

    /// Adds what only the whole can show, of the part that has no other error.
    private func checked(_ result: ConfigResult) -> ConfigResult {
        let config = result.sound
        var result = result
        result.problems = Problem.sorted(
            result.problems + RouteCheck.problems(in: config.routes)
                + SnapshotBuilder.problems(in: config, kinds: kinds),
            files: result.files)
        if result.hasErrors { result.config = nil }
        return result
    }

    package func outcome(of result: ConfigResult) -> LoadOutcome {
        guard let config = result.config, !result.hasErrors else {
            let errors = result.problems.filter { $0.severity == .error }.map(\.line)
            let summary = result.summary
            return .rejected(
                RejectedConfiguration(
                    errors: errors, report: result.report() + summary + "\n", summary: summary))
        }
        let warnings = result.problems.map(\.line)
        let certificates = result.certificates
        let snapshot = ConfigSnapshot(record: result.record.encoded())
        var loaded = LoadedConfiguration(config: config, warnings: warnings, snapshot: snapshot)
        loaded.certificateFiles = result.certificateFiles
        if !certificates.isEmpty { loaded.lapses = { now in certificates.flatMap { $0.warnings(at: now) } } }
        return .loaded(loaded)
    }
}

/// The disk, with a note of what each file was before it was read: a change during the reading shows later.
private final class FileNotes: Sendable {
    private let noted = Mutex<[String: FileIdentity]>([:])

    var identities: [String: FileIdentity] { noted.withLock { $0 } }

    var files: ConfigFiles {
        let disk = ConfigFiles.disk
        return ConfigFiles(
            read: { path, limit in
                self.noted.withLock { $0[path] = FileIdentity(path) }
                return disk.read(path, limit)
            },
            list: disk.list)
    }
}
