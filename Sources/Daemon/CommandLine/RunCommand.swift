import ArgumentParser
import Linux

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Serve what a configuration file says.",
        discussion: """
            SIGHUP reloads the file; an invalid one changes nothing. SIGTERM lets every exchange end, a second one stops at \
            once. SIGUSR1 opens log files anew. Exit code 78: the configuration is wrong.
            """)

    @OptionGroup var file: ConfigOption

    @Flag(help: "No supervisor: one process, for profilers and debuggers. A crash ends it.")
    var singleProcess = false

    func run() throws {
        if singleProcess { throw ExitCode(GatewayProgram.runAlone(.file(file.config))) }
        let name = CommandLine.arguments.first ?? "martlet"
        let arguments = Invocation.runArguments(name: name, configPath: file.config)
        guard Invocation(arguments) != .other else {
            throw ValidationError("write --config ./\(file.config): a path does not begin with a dash here")
        }
        let failure = Process.replace(with: Supervisor.program, arguments)
        FileAccess.printError("cannot start the supervisor: \(failure)\n")
        throw ExitCode(ExitStatus.system)
    }
}
