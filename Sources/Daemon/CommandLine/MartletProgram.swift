import ArgumentParser
import Linux
public import Middleware

/// The program `martlet`, for the executable of this package and for those of packages that add middleware of their own:
///
///     @main enum Main {
///         static func main() {
///             var kinds = MiddlewareKinds()
///             kinds.register("tenant") { … }
///             MartletProgram.main(kinds: kinds)
///         }
///     }
public enum MartletProgram {
    /// Runs the command line of this process and ends it. To be called first of all, before there is a second thread.
    ///
    /// - Parameter kinds: middleware that the configuration may name beside the built-in kinds.
    public static func main(kinds: MiddlewareKinds = MiddlewareKinds()) -> Never {
        Process.ignoreFailedWrites()
        let code = RegisteredKinds.$current.withValue(kinds) { run(Invocation(CommandLine.arguments)) }
        Process.exitNow(code)
    }

    private static func run(_ invocation: Invocation) -> Int32 {
        switch invocation {
        case .gateway(let command, let start):
            return GatewayProgram.runSupervised(command, start)
        case .supervisor(let command):
            return SupervisorProgram.run(command)
        case .snapshotSupervisor(let command, let descriptor):
            return SupervisorProgram.run(command, snapshot: descriptor)
        case .other:
            MartletCommand.main()
            return ExitStatus.success
        }
    }
}

/// The middleware kinds of this program, where the command line's parser gives no way to hand them over.
enum RegisteredKinds {
    @TaskLocal static var current = MiddlewareKinds()
}
