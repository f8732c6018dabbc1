import ArgumentParser
import Config
import HTTP
import Linux

/// Which gateway is meant.
struct AdminOptions: ParsableArguments {
    @Option(
        name: [.long, .customShort("c")], help: "The configuration file of the gateway, which names its admin socket.")
    var config = Invocation.defaultConfigPath

    @Option(help: "The admin socket, instead of what the file says.")
    var socket: String?

    @Flag(help: "Print JSON.")
    var json = false

    /// Asks, prints the answer, and ends the program when it is no success.
    func run(_ method: HTTP.Method, _ target: String) throws {
        do throws(AdminClient.Failure) {
            let client = AdminClient(path: try path())
            let answer = try client.ask(method, target, accept: json ? "application/json" : "text/plain")
            let text = String(decoding: answer.body, as: UTF8.self)
            if answer.status == 200 {
                FileAccess.print(text)
                return
            }
            if json { FileAccess.print(text) } else { FileAccess.printError(text) }
        } catch {
            FileAccess.printError("\(error)\n")
        }
        throw ExitCode(ExitStatus.failure)
    }

    /// The file may have errors: that is what a reload is to say.
    private func path() throws(AdminClient.Failure) -> String {
        if let socket { return socket }
        let result = ConfigurationLoader(kinds: RegisteredKinds.current).inspect(path: config)
        guard case .unix(let path, _, _)? = result.sound.admin?.bind.first else {
            throw AdminClient.Failure(
                description:
                    "\(config) names no admin socket: write `admin: { bind: \"unix:/run/martlet/admin.sock\" }` "
                    + "and restart or reload the gateway, or name the socket with --socket")
        }
        return path
    }
}

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Say how the gateway that runs is doing.",
        discussion: "Exit code 1: no gateway answers at the admin socket.")

    @OptionGroup var options: AdminOptions

    func run() throws { try options.run(.get, "/v1/status") }
}

struct ReloadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload", abstract: "Make the gateway that runs take its configuration file anew.",
        discussion: """
            Waits until every worker serves with it. Exit code 1: nothing changed, and what is wrong is printed as `check` \
            prints it.
            """)

    @OptionGroup var options: AdminOptions

    func run() throws { try options.run(.post, "/v1/reload") }
}
