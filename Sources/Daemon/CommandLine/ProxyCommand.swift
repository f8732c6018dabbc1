import ArgumentParser
import Linux

struct ProxyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "proxy", abstract: "Put a gateway in front of one service, without a file.",
        discussion: "Example: martlet proxy --from :8080 --to http://localhost:9000")

    @Option(help: "Where to listen, such as :8080, 127.0.0.1:8080, [::1]:8080 or unix:/run/x.sock.")
    var from: String

    @Option(help: "URL of the service.")
    var to: String

    @Flag(help: "No supervisor: one process.")
    var singleProcess = false

    func run() throws {
        let loader = ConfigurationLoader(kinds: RegisteredKinds.current)
        let loaded: LoadedConfiguration
        switch loader.outcome(of: loader.inspect(text: Self.text(from: from, to: to), name: "command line")) {
        case .loaded(let configuration):
            loaded = configuration
        case .rejected(let rejected):
            FileAccess.printError(rejected.report)
            throw ExitCode(ExitStatus.usage)
        }
        if singleProcess { throw ExitCode(GatewayProgram.runAlone(.snapshot(loaded.snapshot, path: nil))) }
        throw ExitCode(supervise(loaded.snapshot))
    }

    /// The configuration that the options stand for. Texts in JSON are texts in YAML.
    static func text(from: String, to: String) -> String {
        """
        listen: \(JSONText.string(from))
        routes:
          - path: /*
            upstream: \(JSONText.string(to))

        """
    }

    /// Comes back only when the supervisor cannot be started.
    private func supervise(_ snapshot: ConfigSnapshot) -> Int32 {
        do throws(Errno) {
            let file = try MemoryFile.sealed(name: "martlet-config", contents: snapshot.bytes)
            Descriptors.keepOverExec(file.number)
            let name = CommandLine.arguments.first ?? "martlet"
            let arguments = Invocation.snapshotArguments(name: name, descriptor: file.number)
            throw Process.replace(with: Supervisor.program, arguments)
        } catch {
            FileAccess.printError("cannot start the supervisor: \(error)\n")
            return ExitStatus.system
        }
    }
}
