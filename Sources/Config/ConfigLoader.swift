import YAML

/// Loads a configuration: reads all files, finds every problem, and gives the typed values when there is no error.
///
///     files ─read─▶ trees ─key tables─▶ drafts ─resolve names, flatten groups─▶ GatewayConfig
package enum ConfigLoader {
    /// - Parameters:
    ///   - path: the main file.
    ///   - environment: what `${env:…}` sees.
    ///   - credentialsDirectory: where `${credential:…}` looks; systemd's CREDENTIALS_DIRECTORY.
    ///   - files: how files are read.
    ///   - customKinds: middleware kinds beside the built-in ones.
    ///   - now: Unix seconds, for warnings of certificates that expired; nil: none of them.
    package static func load(
        path: String, environment: [String: String] = [:], credentialsDirectory: String? = nil,
        files: ConfigFiles = .disk, customKinds: [CustomKind] = [], now: Int64? = nil
    ) -> ConfigResult {
        let inputs = ConfigInputs(
            path: path, files: files, environment: environment, credentialsDirectory: credentialsDirectory, now: now)
        let decoder = ConfigDecoder(inputs: inputs, customKinds: customKinds)
        var documents = ConfigDocuments(decoder: decoder)
        documents.read(main: path)
        var draft = GatewayDraft()
        var given: [String: Place] = [:]
        var isWhole = documents.isWhole
        for root in documents.roots {
            isWhole = decoder.gateway(root, into: &draft, early: true, given: &given) && isWhole
        }
        draft.defaults.timeouts.apply(to: &decoder.upstreamTimeouts)
        decoder.accessLog = draft.config.accessLog ?? AccessLogConfig()
        for root in documents.roots {
            _ = decoder.gateway(root, into: &draft, early: false, given: &given)
        }
        var assembly = ConfigAssembly(draft: draft, decoder: decoder, isWhole: isWhole, given: given)
        let config = assembly.assemble()
        let problems = Problem.sorted(hidingSecrets(decoder.problems), files: inputs.order)
        let hasErrors = problems.contains { $0.severity == .error }
        return ConfigResult(
            config: hasErrors ? nil : config, sound: assembly.sound, problems: problems, record: inputs.record,
            files: inputs.order,
            certificateFiles: inputs.record.files.filter { inputs.certificateFiles.contains($0.key) },
            certificates: decoder.certificates)
    }

    /// The configuration that an earlier load took, from its record alone.
    package static func load(
        record: ConfigRecord, customKinds: [CustomKind] = [], now: Int64? = nil
    ) -> ConfigResult {
        load(
            path: record.path, environment: record.environment, credentialsDirectory: record.credentialsDirectory,
            files: record.source, customKinds: customKinds, now: now)
    }

    /// The same with the present content of some files.
    package static func load(
        record: ConfigRecord, rereading paths: Set<String>, from disk: ConfigFiles = .disk,
        customKinds: [CustomKind] = [], now: Int64? = nil
    ) -> ConfigResult {
        let source = record.source
        let files = ConfigFiles(
            read: { path, limit in paths.contains(path) ? disk.read(path, limit) : source.read(path, limit) },
            list: source.list)
        return load(
            path: record.path, environment: record.environment, credentialsDirectory: record.credentialsDirectory,
            files: files, customKinds: customKinds, now: now)
    }

    /// A configuration in memory.
    package static func load(
        text: String, name: String = "martlet.yaml", environment: [String: String] = [:],
        customKinds: [CustomKind] = []
    ) -> ConfigResult {
        load(path: name, environment: environment, files: .memory([name: Array(text.utf8)]), customKinds: customKinds)
    }

    /// A line with a secret is cut before it in every problem that shows the line.
    private static func hidingSecrets(_ problems: [Problem]) -> [Problem] {
        struct Line: Hashable {
            var file: String
            var line: Int
        }
        var hidden: [Line: Int] = [:]
        for problem in problems {
            guard let column = problem.hiddenFrom else { continue }
            let line = Line(file: problem.location.file, line: problem.location.line)
            hidden[line] = min(hidden[line] ?? column, column)
        }
        return problems.map { problem in
            var problem = problem
            problem.hiddenFrom = hidden[Line(file: problem.location.file, line: problem.location.line)]
            return problem
        }
    }
}
