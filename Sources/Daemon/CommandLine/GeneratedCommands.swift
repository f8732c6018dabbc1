import ArgumentParser
import Config
import Linux

struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema", abstract: "Print the JSON Schema of the configuration file, for editors.")

    func run() {
        FileAccess.print(ConfigSchema.json())
    }
}

struct ReferenceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reference", abstract: "Print every key of the configuration file, as Markdown.")

    func run() {
        FileAccess.print(ConfigReference.markdown())
    }
}
