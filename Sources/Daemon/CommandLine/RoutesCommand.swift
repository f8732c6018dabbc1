import ArgumentParser
import Linux

struct RoutesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "routes", abstract: "List the routes of a configuration file.",
        discussion: "In the file's order, which has no meaning: the most specific route that matches as a whole wins.")

    @OptionGroup var file: ConfigOption

    func run() throws {
        FileAccess.print(ConfigText.routes(try file.loaded()))
    }
}
