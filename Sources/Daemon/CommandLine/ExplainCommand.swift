import ArgumentParser
import Linux

struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "Say which route, middleware and upstream a request would get.",
        discussion: """
            Example: martlet explain GET http://api.example.com/users/7 -H 'X-Version: 2'
            Exit code 1: no route serves the request.
            """)

    @Argument(help: "The method, such as GET.")
    var method: String

    @Argument(help: "http://host/path?query, or only the path.")
    var url: String

    @Option(name: [.customShort("H"), .customLong("header")], help: "A header, 'Name: value'; may be repeated.")
    var headers: [String] = []

    @Option(help: "The listener that the request comes to; else the one with the URL's port, or the first.")
    var listener: String?

    @OptionGroup var file: ConfigOption

    func run() throws {
        let config = try file.loaded()
        do throws(ExplainedRequest.Failure) {
            let request = try ExplainedRequest(method: method, url: url, fields: headers)
            let explanation = try Explanation.make(config, request, listener: listener)
            FileAccess.print(explanation.text)
            if explanation.isServed { return }
        } catch {
            switch error {
            case .usage(let text): throw ValidationError(text)
            case .refused(let status, let reason):
                FileAccess.print("answer  \(status) \(reason): the request is refused before routing\n")
            }
        }
        throw ExitCode(ExitStatus.failure)
    }
}
