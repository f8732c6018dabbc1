import ArgumentParser
import Linux
import Net

struct DemoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "Serve a small upstream to try things with.",
        discussion: DemoRoute.help.map { "\($0.path): \($0.what)" }.joined(separator: "\n"))

    @Option(help: "Where to listen; port 0 lets the kernel choose.")
    var bind = "127.0.0.1:9000"

    func run() throws {
        let address: SocketAddress
        do {
            address = try SocketAddress(parsing: bind)
        } catch {
            throw ValidationError("--bind \(bind) is no address such as 127.0.0.1:9000 or [::1]:9000")
        }
        do {
            let signals = try SignalDescriptor([.terminate, .interrupt, .quit])
            let server = try DemoServer(listeningOn: address)
            FileAccess.printError("demo listening on http://\(server.address)\n")
            server.run(until: signals)
        } catch {
            FileAccess.printError("cannot listen on \(address): \(error)\n")
            throw ExitCode(ExitStatus.failure)
        }
    }
}
