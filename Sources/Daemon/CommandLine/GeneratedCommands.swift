import ArgumentParser
import Config
import Linux
import Middleware

struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema", abstract: "Print the JSON Schema of the configuration file, for editors.")

    func run() {
        FileAccess.print(ConfigSchema.json(customKinds: RegisteredKinds.current.customKinds))
    }
}

struct ReferenceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reference", abstract: "Print every key of the configuration file, as Markdown.")

    func run() {
        FileAccess.print(ConfigReference.markdown(customKinds: RegisteredKinds.current.customKinds))
    }
}
