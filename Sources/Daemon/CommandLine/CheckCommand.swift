import ArgumentParser
import Config
import Linux

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Say everything that is wrong with a configuration file.",
        discussion: "Exit code 1: the file cannot be used. Warnings alone do not fail.")

    @OptionGroup var file: ConfigOption

    func run() throws {
        let result = ConfigurationLoader(kinds: RegisteredKinds.current).inspect(path: file.config)
        FileAccess.printError(result.report())
        let errors = result.problems.count { $0.severity == .error }
        let warnings = result.problems.count - errors
        guard let config = result.config, errors == 0 else {
            FileAccess.printError(result.summary + "\n")
            throw ExitCode(ExitStatus.failure)
        }
        FileAccess.print(
            "\(file.config): valid, \(ProblemText.count(config.routes.count, "route")), "
                + "\(ProblemText.count(config.upstreams.count, "upstream")), \(ProblemText.count(warnings, "warning"))\n"
        )
    }
}

extension ConfigOption {
    /// The configuration; problems are printed and end the command.
    func loaded() throws -> GatewayConfig {
        let result = ConfigurationLoader(kinds: RegisteredKinds.current).inspect(path: config)
        guard let loaded = result.config, !result.hasErrors else {
            FileAccess.printError(result.report())
            throw ExitCode(ExitStatus.failure)
        }
        return loaded
    }
}
