import ArgumentParser

/// The command line in full.
struct MartletCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "martlet",
        abstract: "An HTTP and WebSocket reverse proxy and API gateway.",
        version: "martlet \(Version.current)",
        subcommands: [
            RunCommand.self, ProxyCommand.self, ReloadCommand.self, StatusCommand.self, CheckCommand.self,
            RoutesCommand.self, ExplainCommand.self,
            SchemaCommand.self, ReferenceCommand.self, DemoCommand.self,
        ])
}

/// The option that most commands share.
struct ConfigOption: ParsableArguments {
    @Option(name: [.long, .customShort("c")], help: "The configuration file.")
    var config = Invocation.defaultConfigPath
}
