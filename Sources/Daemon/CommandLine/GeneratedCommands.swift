import ArgumentParser
import Config
import Linux
import Middleware
import Telemetry

struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema", abstract: "Print the JSON Schema of the configuration file, for editors.")

    func run() {
        FileAccess.print(ConfigSchema.json(customKinds: RegisteredKinds.current.customKinds))
    }
}

struct ReferenceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reference", abstract: "Print every key of the configuration file, or every metric, as Markdown.")

    enum Subject: String, ExpressibleByArgument, CaseIterable {
        case config, metrics
    }

    @Argument(help: "config or metrics.")
    var subject = Subject.config

    func run() {
        switch subject {
        case .config: FileAccess.print(ConfigReference.markdown(customKinds: RegisteredKinds.current.customKinds))
        case .metrics: FileAccess.print(MetricFamily.markdown)
        }
    }
}
