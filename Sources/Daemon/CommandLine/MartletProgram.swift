import ArgumentParser
import Linux

/// The program `martlet`.
public enum MartletProgram {
    /// Runs the command line of this process and ends it.
    public static func main() -> Never {
        Process.ignoreBrokenPipes()
        switch Invocation(CommandLine.arguments) {
        case .gateway(let command, let hasSnapshot):
            Process.exitNow(GatewayProgram.runSupervised(command, hasSnapshot: hasSnapshot))
        case .supervisor(let command):
            Process.exitNow(SupervisorProgram.run(command))
        case .snapshotSupervisor(let command, let descriptor):
            Process.exitNow(SupervisorProgram.run(command, snapshot: descriptor))
        case .other:
            MartletCommand.main()
            Process.exitNow(ExitStatus.success)
        }
    }
}
